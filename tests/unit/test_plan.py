"""The cost planner: what it counts, against the networks and methods themselves."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from torch import Tensor, nn

from tgr.backbones.registry import build
from tgr.config.load import load
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.config.methods.tgr import expected_steps_to_stall
from tgr.config.schema import Config
from tgr.config.sources import PACKS, Shape
from tgr.config.teachers import Dataset, Pool
from tgr.config.variants import Variant
from tgr.errors import TgrError
from tgr.inversion.registry import ENGINES, module
from tgr.meta import components
from tgr.meta.stall import Stall
from tgr.plan import networks, parts
from tgr.plan.__main__ import lines, main
from tgr.plan.estimates import Estimates
from tgr.plan.networks import named
from tgr.plan.parts import DEFAULT_STEPS, Parts
from tgr.plan.planner import Cost, costs
from tgr.plan.units import Units, load_units
from tgr.task_space import landmarks
from tgr.task_space.gradients import weight_layers

REPOSITORY = Path(__file__).parents[2]
NETWORKS = networks.FILE
CONFIGS = sorted((REPOSITORY / "config").glob("*.yaml"))


@pytest.fixture(scope="module")
def units() -> Units:
    return load_units()


def counted(config: Config, units: Units) -> dict[str, Cost]:
    return {cost.rule: cost for cost in costs(config, units)}


def default(**changes: object) -> Config:
    return load(REPOSITORY / "config/config.yaml").model_copy(update=changes)


@pytest.mark.parametrize(
    ("architecture", "width", "size"),
    [("conv4", 12, 28), ("resnet10", 8, 32), ("resnet18", 16, 20), ("resnet12", 8, 16)],
)
def test_networks_are_as_large_as_the_real_ones(architecture: str, width: int, size: int) -> None:
    model, macs, outputs = build(architecture, 5, width, size, "test"), [], []

    def record(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        macs.append(layer.weight[0].numel() * output.numel())
        outputs.append(output.numel())

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(record)
    model.eval()(torch.zeros(1, 3, size, size))
    network = named(architecture, width, size)
    assert network.macs == pytest.approx(sum(macs) / 1e6)
    assert network.outputs == pytest.approx(sum(outputs) / 1e6)
    assert network.parameters == pytest.approx(sum(p.numel() for p in model.parameters()) / 1e6)
    assert network.features == model.feature_dim


def test_table_of_networks_is_what_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = [*CONFIGS, REPOSITORY / "tests/workflow/tiny.yaml"]
    monkeypatch.setattr(networks, "FILE", tmp_path / "networks.json")
    networks.main([str(file) for file in files])
    assert (tmp_path / "networks.json").read_text() == NETWORKS.read_text(), "python -m tgr.plan.networks writes it"


def test_network_is_counted_once_in_a_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    counted = named("conv4", 11, 32)
    networks._network.cache_clear()
    measure = networks._measure
    monkeypatch.setattr(networks, "_measure", None)
    assert named("conv4", 11, 32) == counted
    known = json.loads(networks.CACHE.read_text())
    networks.CACHE.write_text(json.dumps({key: values[:3] for key, values in known.items()}))  # of an earlier version
    networks._network.cache_clear()
    networks._table.cache_clear()
    monkeypatch.setattr(networks, "_measure", measure)
    assert named("conv4", 11, 32) == counted


def test_unknown_network_is_an_error() -> None:
    with pytest.raises(TgrError, match="no_such_net"):
        named("timm:no_such_net", 32, 32)


def test_constants_are_those_of_the_stages() -> None:
    assert (parts.DIRECT_LIMIT, parts.N_LANDMARKS) == (landmarks.DIRECT_LIMIT, landmarks.N_LANDMARKS)
    assert (parts.EXACT, parts.N_COMPONENTS) == (components.EXACT, components.LIMIT)
    assert parts.N_DIRECTIONS == components.LIMIT + components.SPARE
    assert parts.COMPONENT_PASSES == 2 * components.ITERATIONS + 1
    assert {engine: importlib.import_module(module(engine)).DEFAULT_STEPS for engine in ENGINES} == DEFAULT_STEPS
    probe = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    assert sum(len(layer.weight) for layer in weight_layers(probe).values()) == parts.EMBEDDING_VALUES
    assert sum(p.numel() for p in probe.parameters()) == parts.PROBE_PARAMETERS


def test_packs_are_as_large_as_the_plan_says() -> None:
    for name in PACKS:
        about = json.loads((REPOSITORY / f"tgr/resources/packs/{name}.json").read_text())
        assert PACKS[name] == Shape(len(about["classes"]), about["n_images"], about["image_size"])


def test_every_method_that_trains_is_counted() -> None:
    setting = Parts(default(), load_units()).setting("icons", "5")
    for name, card in CARDS.items():
        seconds = parameters_of(name, {}).training_seconds(setting)
        assert seconds > 1 if card.small else seconds < 1, name


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_configuration_has_a_plan(file: Path, units: Units) -> None:
    config = load(file)
    parts = costs(config, units)
    assert all(cost.jobs > 0 and cost.seconds > 0 and cost.memory_mb > 0 for cost in parts)
    text = "\n".join(lines(config, units, 4))
    assert all(f"\n{cost.rule} " in text for cost in parts)
    assert "On 4 idle cores" in text


def test_costs_follow_the_configuration(units: Units) -> None:
    before = counted(default(), units)
    pool = default().pools["icons-conv4"]
    twice = counted(default(pools={"icons-conv4": pool.model_copy(update={"n_teachers": 40})}), units)
    for rule in ("pretrain", "invert", "embed"):
        assert twice[rule].jobs == 2 * before[rule].jobs
        assert twice[rule].seconds == pytest.approx(2 * before[rule].seconds)
    assert twice["compare"].disk_mb == pytest.approx(4 * before["compare"].disk_mb)
    evaluation = default().evaluation.model_copy(update={"seeds": [0, 1, 2]})
    seeds = counted(default(evaluation=evaluation), units)
    for rule in ("train", "evaluate"):
        assert seeds[rule].jobs == 3 * before[rule].jobs
        assert seeds[rule].seconds == pytest.approx(3 * before[rule].seconds)
    assert seeds["pretrain"] == before["pretrain"]


def with_panel(n_teachers: int = 20, **choice: object) -> Config:
    """Return the default configuration with a panel."""
    pool = default().pools["icons-conv4"].model_copy(update={"n_teachers": n_teachers})
    methods = default().methods.model_copy(update={"panel": parameters_of("panel", {"panel_size": None, **choice})})
    return default(pools={"icons-conv4": pool}, methods=methods)


def test_judgement_costs_images_times_members(units: Units) -> None:
    assert "judge" not in counted(default(), units)
    all_judge, half, twice, black_box = (
        counted(with_panel(**choice), units)["judge"]
        for choice in ({}, {"panel_size": 10}, {"n_teachers": 40}, {"likeness": "outputs"})
    )
    own = all_judge.seconds - all_judge.jobs * units.job_start
    assert half.seconds - half.jobs * units.job_start == pytest.approx(own / 2)
    assert twice.seconds - twice.jobs * units.job_start == pytest.approx(4 * own)
    assert half.disk_mb == pytest.approx(all_judge.disk_mb / 2) == pytest.approx(twice.disk_mb / 8)
    # Of each member and view 5 outputs of 4 bytes, and 128 features of 2.
    assert all_judge.disk_mb / black_box.disk_mb == pytest.approx((20 + 256) / 20)
    assert black_box.memory_mb < all_judge.memory_mb
    with_features, without = (
        Estimates(with_panel(1000, **choice), units).of("train", PANEL_JOB).memory_mb
        for choice in ({}, {"likeness": "outputs"})
    )
    assert with_features > without > Estimates(with_panel(1000, panel_size=20), units).of("train", PANEL_JOB).memory_mb


PANEL_JOB = {"scenario": "icons", "method": "panel", "shot": "any", "seed": 0}


def test_generator_and_second_order_cost_more(units: Units) -> None:
    before = counted(default(), units)
    generator = counted(default(inversion=default().inversion.model_copy(update={"engine": "generator"})), units)
    assert generator["invert"].seconds > 10 * before["invert"].seconds
    maml = counted(default(meta=default().meta.model_copy(update={"learner": "maml"})), units)
    assert maml["train"].seconds > 1.5 * before["train"].seconds


def test_replay_until_a_stall_takes_as_long_as_expected(units: Units) -> None:
    """With patience 1 the mean number of values is e: sum over n of the probability 1/(n-1)! that n are needed."""
    assert expected_steps_to_stall(1) == pytest.approx(math.e)
    assert expected_steps_to_stall(1, cap=2) == pytest.approx(2)
    generator = torch.Generator().manual_seed(0)
    lengths = []
    for values in torch.rand(4000, 200, generator=generator).tolist():
        stall = Stall(4)
        lengths.append(1 + [stall.observe(value) for value in values].index(True))
    assert expected_steps_to_stall(4) == pytest.approx(sum(lengths) / len(lengths), rel=0.03)
    setting = Parts(default(), units).setting("icons", "any")
    chosen = {"group_steps": 10, "replay_steps": 0}
    alone, interleaved, fresh = (
        parameters_of("tgr", chosen | more).training_seconds(setting)
        for more in ({}, {"schedule": "interleaved"}, {"fresh_images": True})
    )
    assert interleaved - alone == pytest.approx(10 * setting.replay(expected_steps_to_stall(4, 20)))
    assert fresh - alone == pytest.approx(10 * 4 * 32 * setting.inversion)
    released = parameters_of("tgr", chosen | {"fidelity": "release"}).training_seconds(setting)
    assert released > alone + 10 * setting.replay(expected_steps_to_stall(4))


def test_an_episode_of_prototypes_costs_one_pass(units: Units) -> None:
    """As ANIL's does, less its inner steps on the head."""
    seconds = {
        learner: counted(default(meta=default().meta.model_copy(update={"learner": learner})), units)["train"].seconds
        for learner in ("protonet", "anil")
    }
    assert 0.9 * seconds["anil"] < seconds["protonet"] <= seconds["anil"] * 1.02


def test_teachers_that_are_asked_themselves_cost_as_many_evaluations(units: Units) -> None:
    def seconds(bn_mode: str = "batch", protocols: tuple[str, ...] = ("ncm",), **values: int) -> float:
        evaluation = default().evaluation.model_copy(update={"bn_mode": bn_mode, "protocols": list(protocols)})
        variant = Variant("ensemble", {}, parameters_of("ensemble", {**values}))
        return Parts(default(evaluation=evaluation), units).scoring_seconds("icons", variant, 5)

    evaluation = default().evaluation.model_copy(update={"protocols": ["ncm"]})
    best = Variant("best", {}, parameters_of("best", {}))
    single = Parts(default(evaluation=evaluation), units).scoring_seconds("icons", best, 5)
    assert seconds() == pytest.approx(20 * single, rel=0.1)
    assert seconds(n_teachers=5) == pytest.approx(seconds() / 4)
    assert seconds("running") < seconds(), "an image passes once, in however many episodes it occurs"
    assert seconds(protocols=["ncm", "ncm_inductive"]) == pytest.approx(seconds() + seconds("running"))
    job = {"scenario": "icons", "shot": 5, "seed": 0}
    asked, pixels = (Estimates(default(), units).of("evaluate", job | {"method": m}) for m in ("ensemble", "pixels"))
    assert asked.mem_mb > pixels.mem_mb


def with_pool(pool: Pool, **datasets: Dataset) -> Config:
    """Return the default configuration with one pool of its own in its scenario."""
    base = default()
    scenario = base.scenarios["icons"].model_copy(update={"pools": ["p"], "evaluate_on": [pool.dataset]})
    return base.model_copy(update={"datasets": datasets, "pools": {"p": pool}, "scenarios": {"icons": scenario}})


def test_assumptions_are_named(units: Units) -> None:
    dataset = Dataset(source="folder", path="x", splits="y", image_size=48)
    text = "\n".join(lines(with_pool(Pool(dataset="mine"), mine=dataset), units, 2))
    assert "datasets.mine: taken for 100 classes of 600 images of 48 px." in text


MEASURED = pd.read_csv(REPOSITORY / "results/reference/default/icons/cost.csv").set_index("stage")
STAGES = {
    "pretrain": ("teachers", {"pool": "icons-conv4", "shard": "0"}),
    "invert": ("recovered images", {"pool": "icons-conv4", "shard": "0"}),
    "embed": ("embeddings", {"pool": "icons-conv4", "shard": "0"}),
} | {
    f"train {name}": (f"training of {card.label}", {"scenario": "icons", "method": name, "shot": "any", "seed": "0"})
    for name, card in CARDS.items()
    if name in default().methods.active() and f"training of {card.label}" in MEASURED.index
}
"""Of the default configuration, as far as they are in the reference results of the repository."""


@pytest.mark.parametrize("stage", STAGES)
def test_jobs_of_the_default_ask_for_more_than_was_measured(units: Units, stage: str) -> None:
    name, wildcards = STAGES[stage]
    estimate = Estimates(default(), units).of(stage.split()[0], wildcards)
    assert 60 * estimate.minutes > 1.5 * MEASURED.loc[name, "seconds"] / MEASURED.loc[name, "jobs"]
    assert estimate.mem_mb > 1.25 * MEASURED.loc[name, "memory_mb"]


def test_large_jobs_ask_for_more(units: Units) -> None:
    paper = Estimates(load(REPOSITORY / "config/paper.yaml"), units)
    job = {"scenario": "icons", "method": "tgr", "shot": "any", "seed": 0}
    before = Estimates(default(), units).of("train", job)
    large = paper.of("train", job | {"scenario": "miniimagenet", "shot": "5"})
    assert large.minutes > 240 > before.minutes and large.mem_mb > 1.5 * before.mem_mb
    many = Estimates(
        default(pools={"icons-conv4": default().pools["icons-conv4"].model_copy(update={"n_teachers": 1000})}), units
    )
    assert many.of("train", job).mem_mb > before.mem_mb + 1000 * 1.7
    assert many.of("compare", {"scenario": "icons", "embedding": "fisher"}).minutes > 12


def test_chunks_bound_the_memory_of_inversion_and_cost_time(units: Units) -> None:
    pool = default().pools["icons-conv4"].model_copy(update={"architecture": "resnet18", "width": 64})
    few, many = (
        counted(
            default(
                pools={"icons-conv4": pool},
                inversion=default().inversion.model_copy(update={"images_per_class": 100, "memory_mb": megabytes}),
            ),
            units,
        )["invert"]
        for megabytes in (200.0, 10_000.0)
    )
    fixed = few.memory_mb - 200
    assert many.memory_mb > fixed + 2000
    assert few.seconds == pytest.approx(1.6 * many.seconds, rel=0.05)


def test_existing_models_are_as_large_as_their_table_says(units: Units, tmp_path: Path) -> None:
    row = {"weights": "w.pth", "sha256": "0" * 64, "mean": [0.5] * 3, "std": [0.2] * 3, "licence": "MIT"}
    small = {"name": "a", "architecture": "conv4", "classes": 3, "image_size": 16}
    large = {"name": "b", "architecture": "resnet10", "width": 16, "classes": 7, "image_size": 84}
    (tmp_path / "models.yaml").write_text(json.dumps([small | row, large | row]))
    pool = Pool(table=str(tmp_path / "models.yaml"), n_teachers=2)
    sized = Parts(default(pools={"icons-conv4": pool}), units)
    assert sized.teacher("icons-conv4") == named("resnet10", 16, 84)
    assert (sized.pixels("icons-conv4"), sized.n_recovered("icons-conv4")) == (84, 7 * 30)
    (tmp_path / "models.yaml").write_text(json.dumps([small | row | {"architecture": "timm:no_such_net"}]))
    with pytest.raises(TgrError, match=r"models\.yaml: row 1 \(a\): architecture: timm has no model 'no_such_net'"):
        Parts(default(pools={"icons-conv4": pool}), units).teacher("icons-conv4")
    (tmp_path / "models.yaml").unlink()
    unknown = Parts(default(pools={"icons-conv4": pool}), units)
    assert unknown.teacher("icons-conv4") == named("conv4", 32, 32)


def test_gpu_shortens_the_run_time_that_is_asked_for(units: Units) -> None:
    paper = load(REPOSITORY / "config/paper.yaml")
    job = {"scenario": "cifar_fs", "method": "free", "shot": "1", "seed": 0}
    asked = {
        device: Estimates(paper.model_copy(update={"device": device}), units).of("train", job)
        for device in ("auto", "cuda")
    }
    assert asked["cuda"].minutes < asked["auto"].minutes / 10
    assert asked["cuda"].seconds == asked["auto"].seconds


def test_command_needs_no_torch() -> None:
    code = "import sys; from tgr.plan.__main__ import main; sys.exit(main([sys.argv[1]]) or 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, "config/full_cpu.yaml"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rule ") and "\ntotal " in done.stdout


def test_a_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "bad.yaml").write_text("datasets: {}\n")
    assert main([str(tmp_path / "bad.yaml")]) == 1
    assert "bad.yaml: pools: this key is required" in capsys.readouterr().err
    (tmp_path / "units.json").write_text('{"command": 3}')
    with pytest.raises(TgrError, match=r"units\.json: .*make it by"):
        load_units(tmp_path / "units.json")


@pytest.mark.parametrize("script", sorted(path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")))
def test_scripts_of_measurements_fit_the_library(script: str) -> None:
    importlib.import_module(f"benchmarks.{script}")
