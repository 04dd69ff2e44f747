"""Means, intervals and paired differences against computation by hand, in float64."""

import math

import numpy as np
import pandas as pd
import pytest

from tgr.errors import TgrError
from tgr.evaluation.statistics import compare, mean_interval, paired_difference, per_episode, seed_spread
from tgr.evaluation.summary import reference_method, summarise

T_975_DF_4 = 2.7764451051977987
"""0.975 quantile of Student's t with 4 degrees of freedom, from a table."""


def frame(method: str, accuracies: dict[int, list[float]], dataset: str = "toys") -> pd.DataFrame:
    """Return rows of one method, shot, protocol and rule: accuracies by seed."""
    rows = [
        {"scenario": "s", "dataset": dataset, "method": method, "shot": 1, "seed": seed, "protocol": "ncm",
         "selection": "last", "checkpoint": 0, "episode": e, "accuracy": a, "bn_mode": "batch",
         "split": "meta_test", "phase": ""}
        for seed, values in accuracies.items() for e, a in enumerate(values)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_mean_interval_by_hand() -> None:
    values = [0.2, 0.4, 0.4, 0.6, 0.9]
    mean = 2.5 / 5
    variance = sum((v - mean) ** 2 for v in values) / 4
    interval = mean_interval(values)
    assert interval.mean == pytest.approx(mean, rel=1e-14)
    assert interval.half_width == pytest.approx(T_975_DF_4 * math.sqrt(variance / 5), rel=1e-12)
    assert interval.n == 5


def test_equal_values_have_an_interval_without_width() -> None:
    assert mean_interval([1 / 3] * 7).half_width == 0
    assert mean_interval([0.1 + 0.2, 0.3, 0.3]).half_width == 0, "a rounding error is no variance"


def test_an_interval_needs_two_values() -> None:
    with pytest.raises(ValueError, match="two values"):
        mean_interval([0.5])


def test_paired_difference_by_hand() -> None:
    a, b = [0.5, 0.7, 0.6, 0.9, 0.3], [0.4, 0.7, 0.5, 0.6, 0.3]
    differences = [x - y for x, y in zip(a, b, strict=True)]
    mean = sum(differences) / 5
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / 4 / 5)
    actual = paired_difference(a, b)
    assert actual.mean == pytest.approx(0.1, rel=1e-12)
    assert actual.half_width == pytest.approx(T_975_DF_4 * error, rel=1e-12)
    # two-sided p of Student's t with 4 degrees of freedom has a closed form
    t = mean / error
    x = t / math.sqrt(4 + t**2)
    assert actual.p_value == pytest.approx(1 - 2 * (0.75 * (x - x**3 / 3)), rel=1e-9)


@pytest.mark.parametrize(("offset", "p_value"), [(0.0, 1.0), (0.1, 0.0)])
def test_constant_differences_have_an_interval_without_width(offset: float, p_value: float) -> None:
    values = np.array([0.1, 0.5, 0.7])
    actual = paired_difference(values + offset, values)
    assert (actual.half_width, actual.p_value) == (0.0, p_value)
    assert actual.mean == pytest.approx(offset, abs=1e-15)


def test_pairs_need_the_same_episodes() -> None:
    with pytest.raises(ValueError, match="same episodes"):
        paired_difference([0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(TgrError, match="different episodes"):
        compare(per_episode(frame("a", {0: [0.1, 0.2]})), per_episode(frame("b", {0: [0.1, 0.2, 0.3]})))


def test_seeds_are_averaged_before_the_interval() -> None:
    rows = frame("a", {0: [0.2, 0.4, 0.6], 1: [0.4, 0.4, 0.8]})
    assert per_episode(rows).tolist() == pytest.approx([0.3, 0.4, 0.7])
    assert seed_spread(rows) == pytest.approx(abs(1.6 / 3 - 0.4) / math.sqrt(2))
    assert seed_spread(frame("a", {0: [0.2, 0.4]})) is None


def test_seeds_with_different_episodes_are_refused() -> None:
    with pytest.raises(TgrError, match="do not share the same episodes"):
        per_episode(frame("a", {0: [0.2, 0.4], 1: [0.2]}))


def test_summary_compares_on_the_same_episodes() -> None:
    rows = pd.concat(
        [
            frame("pixels", {0: [0.3, 0.4, 0.4, 0.3]}),
            frame("random", {0: [0.2, 0.3, 0.3, 0.3]}),
            frame("tgr", {0: [0.5, 0.6, 0.7, 0.5], 1: [0.5, 0.8, 0.7, 0.5]}),
            frame("bank", {0: [0.6, 0.5, 0.7, 0.6]}),
            frame("realdata", {0: [0.9, 0.9, 0.9, 0.9]}),
        ]
    )
    table = summarise(rows, ["pixels", "random", "bank", "tgr", "realdata"]).set_index("method")
    assert list(table.index) == ["pixels", "random", "bank", "tgr", "realdata"]
    assert set(table["reference"]) == {"tgr"}
    assert table.loc["bank", "difference"] == pytest.approx(0.0, abs=1e-12)
    assert table.loc["bank", "p_value"] == pytest.approx(1.0)
    assert np.isnan(table.loc["tgr", "difference"])
    assert table["below_floor"].to_dict() == {
        "pixels": False, "random": True, "bank": False, "tgr": False, "realdata": False
    }  # fmt: skip
    assert table["tied_with_best"].to_dict() == {
        "pixels": False, "random": False, "bank": True, "tgr": True, "realdata": False
    }  # fmt: skip
    assert table.loc["realdata", "ci95"] == 0


def test_training_that_ends_below_the_untrained_network_is_flagged() -> None:
    untrained = [0.30, 0.40, 0.50, 0.36]
    rows = pd.concat(
        [
            frame("pixels", {0: [0.1, 0.1, 0.1, 0.1]}),
            frame("random", {0: untrained}),
            frame("bank", {0: [share - 0.05 + 0.01 * (i % 2) for i, share in enumerate(untrained)]}),
            frame("tgr", {0: [0.29, 0.49, 0.40, 0.36]}),  # lower on average, but not surely
            frame("realdata", {0: [0.9, 0.9, 0.9, 0.9]}),
        ]
    )
    chosen = rows.assign(selection="meta_val", accuracy=0.8)
    tuned = chosen.assign(protocol="finetune")
    both = pd.concat([rows.assign(selection="last"), chosen, tuned])
    names = ["pixels", "random", "bank", "tgr", "realdata"]
    table = summarise(both, names)
    assert set(table.loc[table["last_below_random"], "method"]) == {"bank"}
    assert table.loc[table["method"] == "bank", "last_below_random"].all(), "whatever the rule and the protocol"
    by_method = table.drop_duplicates("method").set_index("method")["last_minus_random"]
    assert by_method["bank"] == pytest.approx(-0.045) and by_method["realdata"] > 0
    assert by_method[["pixels", "random"]].isna().all()
    for left_out in (both[both["method"] != "random"], both[both["selection"] != "last"]):
        unknown = summarise(left_out, names)
        assert not unknown["last_below_random"].any() and unknown["last_minus_random"].isna().all()


def test_several_datasets_are_pooled_beside_themselves() -> None:
    rows = pd.concat([frame("tgr", {0: [0.2, 0.4]}), frame("tgr", {0: [0.6, 0.8]}, "tools")])
    table = summarise(rows, ["tgr"]).set_index("dataset")
    assert list(table.index) == ["all", "tools", "toys"]
    assert table.loc["all", "mean"] == pytest.approx(0.5)
    assert table.loc["all", "n_episodes"] == 4


@pytest.mark.parametrize(
    ("methods", "reference"),
    [
        (["pixels", "bank", "tgr", "realdata"], "tgr"),
        (["pixels", "bank", "replay"], "replay"),
        (["pixels", "mine", "realdata"], "mine"),
        (["pixels"], "pixels"),
    ],
)
def test_reference_is_the_closest_method_if_tgr_is_absent(methods: list[str], reference: str) -> None:
    assert reference_method(methods) == reference
