"""Who belongs to an ensemble, and its way through training and evaluation."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from synthetic_results import EVALUATION, META, SCENARIO, make_dataset, write_dataset, write_shard

from tests.device import DEVICE
from tests.toy_training import make_training
from tgr.config.learning import MetaModel
from tgr.config.methods.registry import parameters_of
from tgr.errors import TgrError
from tgr.evaluation.stage import evaluate
from tgr.methods.ensemble import choose_members
from tgr.methods.stage import train_method
from tgr.methods.training import Training
from tgr.pool.draw import draw_in_proportion
from tgr.pool.teacher import Teacher


def test_pools_are_drawn_in_proportion_and_fewer_are_among_more() -> None:
    pools = [[f"a{i}" for i in range(12)], [f"b{i}" for i in range(6)], [f"c{i}" for i in range(2)]]
    drawn = [draw_in_proportion(pools, count) for count in range(21)]
    for count, chosen in enumerate(drawn):
        assert len(set(chosen)) == count
        assert chosen[: count - 1] == drawn[count - 1] if count else chosen == []
        for pool in pools:
            assert abs(sum(one in pool for one in chosen) - count * len(pool) / 20) <= 1
    assert sorted(drawn[20]) == sorted([*pools[0], *pools[1], *pools[2]])


@pytest.fixture(scope="module")
def two_pools() -> Training:
    """Six teachers of a pool, and three of another."""
    training = make_training(9)
    teachers = [
        Teacher(one.card.model_copy(update={"pool": "a" if index < 6 else "b"}), one.model)
        for index, one in enumerate(training.teachers)
    ]
    return replace(training, teachers=teachers)


def test_members_depend_on_the_seed_and_stand_in_the_order_of_the_pools(two_pools: Training) -> None:
    keys = {}
    for seed in range(6):
        training, again = (replace(two_pools, seed_names=("toy", seed)) for _ in range(2))
        everyone = [one.card.key for one in training.teachers]
        assert [one.card.key for one in choose_members(training, None)] == everyone
        for count in (1, 3, 6, 9):
            keys[seed, count] = [one.card.key for one in choose_members(training, count)]
            assert keys[seed, count] == [key for key in everyone if key in keys[seed, count]]
            assert keys[seed, count] == [one.card.key for one in choose_members(again, count)]
        assert set(keys[seed, 1]) < set(keys[seed, 3]) < set(keys[seed, 6]) < set(keys[seed, 9])
        assert [key[0] for key in keys[seed, 3]] == ["a", "a", "b"]
    assert len({tuple(keys[seed, 3]) for seed in range(6)}) > 2
    with pytest.raises(TgrError, match=r"methods\.ensemble\.n_teachers: 10, but the scenario has 9 teachers"):
        choose_members(two_pools, 10)


@pytest.mark.device
def test_an_ensemble_goes_from_teachers_to_accuracies(tmp_path: Path) -> None:
    teachers, _ = write_shard(tmp_path, "toys-conv4", make_dataset("toys"), 3)
    dataset, episodes = write_dataset(tmp_path, "toys", 1)
    train_method(
        scenario="toys",
        method="ensemble",
        shot="any",
        seed=0,
        variant={"ensemble": parameters_of("ensemble", {"n_teachers": 2}).model_dump()},
        meta_model=MetaModel(width=4, image_size=64),
        meta=META,
        teachers=[teachers],
        recovered=[],
        groups=None,
        datasets=[],
        model=tmp_path / "model",
        device=DEVICE,
    )
    evaluate(
        scenario="toys",
        method="ensemble",
        shot=1,
        seed=0,
        evaluate_on=SCENARIO.evaluate_on,
        evaluation=EVALUATION.model_copy(update={"protocols": ["ncm"]}),
        held_out_per_class=99,  # would raise if looked at
        model=tmp_path / "model",
        datasets=[dataset],
        episodes=[episodes],
        recovered=[],
        teachers=[teachers],
        folder=tmp_path / "out",
        device=DEVICE,
    )
    frame = pd.read_parquet(tmp_path / "out/episodes.parquet")
    assert set(frame["protocol"]) == {"ncm"} and set(frame["checkpoint"]) == {0}
    assert frame.groupby("selection").size().to_dict() == dict.fromkeys(EVALUATION.selections, EVALUATION.n_episodes)
    assert frame.groupby("episode")["accuracy"].nunique().eq(1).all()
    assert frame["accuracy"].between(0, 1).all() and frame["accuracy"].nunique() > 1
