"""The plan by the unit costs of a GPU: its hours are those computed by hand; files it refuses; who writes them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tgr.artifacts import read_json
from tgr.config.load import load
from tgr.config.methods.registry import parameters_of
from tgr.config.schema import Config
from tgr.config.teachers import Dataset, Pool
from tgr.plan.__main__ import lines, main
from tgr.plan.gpu import GpuCosts, load_gpu_costs, on_gpu
from tgr.plan.parts import Parts
from tgr.plan.planner import costs
from tgr.plan.units import FILE, load_units

REPOSITORY = Path(__file__).parents[2]
DEFAULT = "config/config.yaml"
COSTS: dict[str, Any] = {
    "command": "by hand",
    "machine": "a slow card",
    "step_ms": {
        "training": {"10": 2000, "60": 9000, "110": 12000},  # an image 100 ms, a step 1 s
        "prediction": {"10": 1000, "210": 3000},  # an image 10 ms
        "inversion": {"50": 3000, "150": 5000},  # an image 20 ms, a step 2 s
        "inversion_generator": {"100": 14000},  # 10 s more than without the generator: an image 100 ms
        "first_order": {"100": 10_000},
        "second_order": {"100": 25_000},
        "embedding": {"50": 100_000},
    },
}
MEASURED = GpuCosts.model_validate(COSTS)


def small(engine: str = "pixel") -> Config:
    """Two teachers of 5 classes of 600 images each, in one job, whose 100 images are recovered in 100 steps."""
    base = load(REPOSITORY / DEFAULT)
    return base.model_copy(
        update={
            "datasets": {"mine": Dataset(source="folder", path="x", splits="y", image_size=32)},
            "pools": {"p": Pool(dataset="mine", n_teachers=2)},
            "scenarios": {
                "icons": base.scenarios["icons"].model_copy(update={"pools": ["p"], "evaluate_on": ["mine"]})
            },
            "pretrain": base.pretrain.model_copy(update={"epochs": 2, "batch_size": 100, "held_out": 0.2}),
            "inversion": base.inversion.model_copy(update={"engine": engine, "steps": 100, "images_per_class": 20}),
        }
    )


def hours(config: Config, gpu: GpuCosts | None, rule: str) -> str:
    """Return a rule's GPU hours as the plan prints them."""
    return next(line for line in lines(config, load_units(), 2, gpu) if line.startswith(f"{rule} ")).split()[3]


def test_hours_are_those_of_the_steps_that_were_measured() -> None:
    start = load_units().job_start
    # 2 epochs of 2,400 images in 24 steps, and all 3,000 images seen once more.
    pretrain = 2 * (2 * 2400 * 0.1 + 48 * 1 + 3000 * 0.01)
    assert hours(small(), MEASURED, "pretrain") == f"{(start + pretrain) / 3600:.2f}" == "0.31"
    assert hours(small(), MEASURED, "invert") == f"{(start + 2 * 100 * (2 + 100 * 0.02)) / 3600:.2f}" == "0.22"
    by_generator = 2 * 100 * (2 + 100 * (0.02 + 0.1))
    assert hours(small("generator"), MEASURED, "invert") == f"{(start + by_generator) / 3600:.2f}" == "0.78"
    units = on_gpu(load_units(), MEASURED)
    assert units.second_order == 2.5 and units.embed_image == 2
    assert units.job_start == start and units.figure == load_units().figure
    text = "\n".join(lines(small(), load_units(), 2, MEASURED))
    assert "(a slow card; `by hand`)" in text and "guess" not in text


def test_hours_are_a_guess_without_a_measurement() -> None:
    config, units = small(), load_units()
    assert "GPU hours are a guess: a GPU is taken for 40 such cores." in lines(config, units, 2)
    guessed = {cost.rule: cost for cost in costs(config, on_gpu(units, None))}
    for cost in costs(config, units):
        start = cost.jobs * units.job_start
        if cost.device:
            assert guessed[cost.rule].seconds == pytest.approx(start + (cost.seconds - start) / 40), cost.rule


def test_a_step_of_inversion_is_paid_once_however_many_its_images() -> None:
    units = on_gpu(load_units(), MEASURED)
    seconds = [
        parameters_of("bidf_mkd", {"steps": 3, "inversion_steps": 7}).training_seconds(
            Parts(small(), units.model_copy(update={"invert_overhead": overhead})).setting("icons", "5")
        )
        for overhead in (0.0, 2.0)
    ]
    assert seconds[1] - seconds[0] == pytest.approx(3 * 7 * 2.0)


def changed(**stages: object) -> dict[str, Any]:
    return COSTS | {"step_ms": COSTS["step_ms"] | stages}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "gpu.json: cannot be read"),
        ('{"row": "versions"}\n{"row": "costs"}\n', "gpu.json: damaged or not JSON"),
        ("[]", "gpu.json: Input should be a valid dictionary"),
        (FILE.read_text(), "gpu.json: step_ms: Field required"),
        (json.dumps(COSTS | {"step_ms": {}}), "gpu.json: step_ms.training: Field required"),
        (json.dumps(changed(training={"8": 1})), "gpu.json: step_ms.training: Dictionary should have at least 2 items"),
        (json.dumps(changed(inversion={"8": 1, "16": -1})), "gpu.json: step_ms.inversion.16: Input should be greater"),
        (
            json.dumps(changed(embedding={"many": 1})),
            "gpu.json: step_ms.embedding.many: Input should be a valid integer",
        ),
        (json.dumps(changed(judging={"8": 1})), "gpu.json: step_ms.judging: Extra inputs are not permitted"),
    ],
)
def test_other_files_are_refused(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gpu.json"
    if content is not None:
        file.write_text(content)
    assert main([str(REPOSITORY / DEFAULT), "--gpu-costs", str(file)]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert message in error
    assert "JSON" in message or content is None or error.endswith("make it by `python -m benchmarks.gpu costs`")


@pytest.mark.slow
def test_script_writes_what_the_plan_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "gpu.jsonl"
    script = [sys.executable, "-m", "benchmarks.gpu", "costs", "--device", "cpu", "--quick", "--seconds", "3600"]
    subprocess.run([*script, "--out", str(rows)], cwd=REPOSITORY, check=True, capture_output=True)
    table = read_json(tmp_path / "gpu.json")
    measured = [json.loads(line) for line in rows.read_text().splitlines()]
    assert {row["ms"] for row in measured[:-1]} == {ms for stage in table["step_ms"].values() for ms in stage.values()}
    assert load_gpu_costs(tmp_path / "gpu.json").measured()["embed_image"] > 0
    assert main([str(REPOSITORY / DEFAULT), "--gpu-costs", str(tmp_path / "gpu.json")]) == 0
    assert "`python -m benchmarks.gpu costs --device cpu --quick`" in capsys.readouterr().out
