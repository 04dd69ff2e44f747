"""Methods are compared at equal cost: what the shipped configurations give each of them, by the planner."""

import math
from pathlib import Path

import pytest

from tgr.config.load import load
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.plan.__main__ import main
from tgr.plan.methods import TOLERANCE, MethodCost, method_costs, reference_of
from tgr.plan.parts import Parts
from tgr.plan.units import load_units

REPOSITORY = Path(__file__).parents[2]
COMPARED = {
    (file.stem, scenario): method_costs(load(file), load_units(), scenario)
    for file in sorted((REPOSITORY / "config").glob("*.yaml"))
    for scenario in load(file).scenarios
    if file.stem != "smoke"  # whose accuracies mean nothing
    and load(file).evaluation.split == "meta_test"  # on meta-val parameters are chosen, not methods compared
}
IN_ROUNDS = ("dro", "purer", "bidf_mkd", "free")
"""They draw teachers in rounds (tests of their own); the others draw them at random."""


def test_methods_that_learn_from_images_are_compared_at_equal_cost() -> None:
    names = [name for name, card in CARDS.items() if card.equal_cost]
    assert names == ["bank", "distil", "panel", "replay", "purer", "bidf_mkd", "free", "tgr"]
    compared = {cost.method for costs in COMPARED.values() for cost in costs if cost.equal_cost}
    assert compared == set(names)


@pytest.mark.parametrize(("file", "scenario"), COMPARED)
def test_shipped_configurations_give_equal_computing(file: str, scenario: str) -> None:
    costs = COMPARED[file, scenario]
    reference = reference_of(costs)
    assert reference is not None
    shares = {cost.method: cost.total / reference.total for cost in costs if cost.equal_cost}
    unequal = {name: f"{share:.2f}" for name, share in shares.items() if abs(share - 1) > TOLERANCE}
    assert not unequal, f"see `python -m tgr.plan config/{file}.yaml --methods`"


@pytest.mark.parametrize(("file", "scenario"), COMPARED)
def test_every_teacher_is_visited(file: str, scenario: str) -> None:
    config = load(REPOSITORY / f"config/{file}.yaml")
    n_teachers = Parts(config, load_units()).n_teachers(scenario)
    for cost in COMPARED[file, scenario]:
        if cost.visits is None:
            continue
        missed = n_teachers * math.exp(-cost.visits)  # expected, of draws at random
        assert cost.visits >= 1 if cost.method in IN_ROUNDS else missed < 0.01, (cost.method, cost.visits)


@pytest.mark.parametrize("method", [name for name, card in CARDS.items() if card.equal_cost])
def test_seconds_are_proportional_to_the_lengths(method: str) -> None:
    setting = Parts(load(REPOSITORY / "config/config.yaml"), load_units()).setting("icons", "5")
    card = parameters_of(method, {})
    lengths = {name: getattr(card, name) for name in card.lengths}
    longer = card.model_copy(update={name: 3 * value for name, value in lengths.items()})
    assert longer.training_seconds(setting) == pytest.approx(3 * card.training_seconds(setting))
    assert longer.training_seconds(setting) > card.training_seconds(setting) > 1


def cost(training: float, recovered: float = 0.0, **lengths: int) -> MethodCost:
    return MethodCost("icons", "bank", training, recovered, 0.0, 0.0, None, lengths, True)


def test_lengths_at_a_cost() -> None:
    assert cost(10, 30, steps=500).lengths_at(50) == {"steps": 1000}
    assert cost(10, 30, steps=500).lengths_at(30) is None
    assert cost(10, group_steps=1234, replay_steps=10, bank_steps=0).lengths_at(5) == {
        "group_steps": 620,
        "replay_steps": 5,
    }


def test_needs_are_paid_for() -> None:
    config = load(REPOSITORY / "config/comparison.yaml")
    with_panel = config.methods.model_copy(update={"panel": parameters_of("panel", {})})
    compared = method_costs(config.model_copy(update={"methods": with_panel}), load_units(), "icons")
    costs = {cost.method: cost for cost in compared}
    images, space = costs["tgr"].recovered, costs["tgr"].task_space
    assert images > 0 and space > 0
    assert {costs[name].recovered for name in ("bank", "distil", "panel", "replay", "dro")} == {images}
    free_of_images = ("pixels", "random", "best", "average", "ota", "purer", "bidf_mkd", "free", "realbank")
    assert {costs[name].recovered for name in free_of_images} == {0.0}
    assert {name for name, cost in costs.items() if cost.task_space} == {"tgr"}
    assert {name for name, cost in costs.items() if cost.judgements} == {"panel"}
    panel = costs["panel"]
    assert panel.total == panel.training + panel.recovered + panel.judgements


def test_command_says_how_long_methods_would_train_at_equal_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(REPOSITORY / "config/comparison.yaml"), "--methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert lines[0].startswith("icons ") and "{steps: " in rows["free"] and " 1.00 " in rows["tgr"]
    assert "{steps" not in rows["realbank"] and "random" not in rows
