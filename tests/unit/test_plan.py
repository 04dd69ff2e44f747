"""The cost planner: what it counts, against the networks and methods themselves."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn

from tgr.backbones.registry import build
from tgr.config.load import load
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.config.schema import Config
from tgr.config.teachers import Dataset, Pool
from tgr.errors import TgrError
from tgr.plan import counts, stages
from tgr.plan.__main__ import lines, main
from tgr.plan.networks import named
from tgr.plan.stages import Cost, Planner
from tgr.plan.units import Units, load_units
from tgr.task_space import landmarks
from tgr.task_space.gradients import weight_layers

REPOSITORY = Path(__file__).parents[2]
CONFIGS = sorted((REPOSITORY / "config").glob("*.yaml"))


@pytest.fixture(scope="module")
def units() -> Units:
    return load_units()


def counted(config: Config, units: Units) -> dict[str, Cost]:
    return {cost.rule: cost for cost in Planner(config, units).costs()}


def default(**changes: object) -> Config:
    return load(REPOSITORY / "config/config.yaml").model_copy(update=changes)


@pytest.mark.parametrize(
    ("architecture", "width", "size"), [("conv4", 12, 28), ("resnet10", 8, 32), ("resnet18", 16, 20)]
)
def test_networks_are_as_large_as_the_real_ones(architecture: str, width: int, size: int) -> None:
    model, macs, outputs = build(architecture, 5, width, size, "test"), [], []

    def record(layer: nn.Conv2d, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        macs.append(layer.weight[0].numel() * output.numel())
        outputs.append(output.numel())

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(record)
    model.eval()(torch.zeros(1, 3, size, size))
    found = named(architecture, width, size)
    assert found.macs == pytest.approx(sum(macs) / 1e6)
    assert found.outputs == pytest.approx(sum(outputs) / 1e6, rel=0.2)  # shortcuts are left out
    assert found.parameters == pytest.approx(sum(p.numel() for p in model.parameters()) / 1e6, rel=0.05)


def test_constants_are_those_of_the_stages() -> None:
    assert (stages.DIRECT_LIMIT, stages.N_LANDMARKS) == (landmarks.DIRECT_LIMIT, landmarks.N_LANDMARKS)
    probe = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    assert sum(len(layer.weight) for layer in weight_layers(probe).values()) == stages.EMBEDDING_VALUES
    assert sum(p.numel() for p in probe.parameters()) == stages.PROBE_PARAMETERS


def test_packs_are_as_large_as_the_plan_says() -> None:
    for name in ("icons", "glyphs", "emoji"):
        about = json.loads((REPOSITORY / f"tgr/resources/packs/{name}.json").read_text())
        assert counts.DATASETS[name] == (len(about["classes"]), about["n_images"], about["image_size"])


def test_every_method_that_trains_is_counted() -> None:
    planner = Planner(default(), load_units())
    for name, card in CARDS.items():
        seconds = parameters_of(name, {}).training_seconds(planner.setting("icons", "5"))
        assert seconds > 1 if card.small else seconds < 1, name


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_configuration_has_a_plan(file: Path, units: Units) -> None:
    config = load(file)
    costs = Planner(config, units).costs()
    assert all(cost.jobs > 0 and cost.seconds > 0 and cost.memory_mb > 0 for cost in costs)
    text = "\n".join(lines(config, units, 4))
    assert all(f"\n{cost.rule} " in text for cost in costs)
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


def test_generator_and_second_order_cost_more(units: Units) -> None:
    before = counted(default(), units)
    generator = counted(default(inversion=default().inversion.model_copy(update={"engine": "generator"})), units)
    assert generator["invert"].seconds > 10 * before["invert"].seconds
    maml = counted(default(meta=default().meta.model_copy(update={"learner": "maml"})), units)
    assert maml["train"].seconds > 1.5 * before["train"].seconds


def test_assumptions_are_named(units: Units) -> None:
    dataset = Dataset(source="folder", path="x", splits="y", image_size=48)
    pools = {"p": Pool(dataset="mine", architecture="timm:no_such_net")}
    base = default()
    scenario = base.scenarios["icons"].model_copy(update={"pools": ["p"], "evaluate_on": ["mine"]})
    config = base.model_copy(update={"datasets": {"mine": dataset}, "pools": pools, "scenarios": {"s": scenario}})
    text = "\n".join(lines(config, units, 2))
    assert "datasets.mine: taken for 100 classes of 600 images of 48 px." in text
    assert "pools.p: timm:no_such_net is unknown here, taken for timm's resnet18." in text


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
