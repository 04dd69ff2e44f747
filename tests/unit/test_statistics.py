"""Means, intervals and paired differences against computation by hand, in float64."""

import math

import numpy as np
import pandas as pd
import pytest

from tgr.errors import TgrError
from tgr.evaluation.replicates import tell_replicates
from tgr.evaluation.statistics import (
    crossed,
    difference,
    holm,
    interval,
    mean_interval,
    seed_spread,
    spread_within_replicates,
)
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


def test_difference_of_one_training_by_hand() -> None:
    a, b = [0.5, 0.7, 0.6, 0.9, 0.3], [0.4, 0.7, 0.5, 0.6, 0.3]
    differences = [x - y for x, y in zip(a, b, strict=True)]
    mean = sum(differences) / 5
    error = math.sqrt(sum((d - mean) ** 2 for d in differences) / 4 / 5)
    actual = difference(crossed(frame("a", {0: a})), crossed(frame("b", {0: b})))
    assert actual.mean == pytest.approx(0.1, rel=1e-12)
    assert actual.half_width == pytest.approx(T_975_DF_4 * error, rel=1e-12)
    # two-sided p of Student's t with 4 degrees of freedom has a closed form
    t = mean / error
    x = t / math.sqrt(4 + t**2)
    assert actual.p_value == pytest.approx(1 - 2 * (0.75 * (x - x**3 / 3)), rel=1e-9)


@pytest.mark.parametrize(("offset", "p_value"), [(0.0, 1.0), (0.1, 0.0)])
def test_constant_differences_have_an_interval_without_width(offset: float, p_value: float) -> None:
    values = np.array([0.1, 0.5, 0.7])
    actual = difference(crossed(frame("a", {0: list(values + offset)})), crossed(frame("b", {0: list(values)})))
    assert (actual.half_width, actual.p_value) == (0.0, p_value)
    assert actual.mean == pytest.approx(offset, abs=1e-15)


def test_interval_over_trainings_and_episodes_by_hand() -> None:
    values = [[0.2, 0.4, 0.9], [0.4, 0.7, 0.7]]
    trainings, episodes = [0.5, 0.6], [0.3, 0.55, 0.8]
    mean = 0.55
    a = 3 * sum((each - mean) ** 2 for each in trainings) / 1
    b = 2 * sum((each - mean) ** 2 for each in episodes) / 2
    rest = sum((values[i][j] - trainings[i] - episodes[j] + mean) ** 2 for i in range(2) for j in range(3)) / 2
    t_1, t_2 = 12.706204736, 4.302652730  # 0.975 quantiles with 1 and 2 degrees of freedom, from a table
    expected = math.sqrt((t_1**2 * max(a - rest, 0) + t_2**2 * b) / 6)
    actual = interval(crossed(frame("m", dict(enumerate(values)))))
    assert (actual.mean, actual.n, actual.n_trainings) == (pytest.approx(mean), 3, 2)
    assert actual.half_width == pytest.approx(expected, rel=1e-9)
    clear = [[0.1, 0.2, 0.4], [0.6, 0.7, 0.8]]
    assert interval(crossed(frame("m", dict(enumerate(clear))))).half_width > 1, "two trainings so unlike say nothing"


def test_datasets_are_strata() -> None:
    """What sets the datasets apart is no uncertainty of a mean over both."""
    rows = pd.concat([frame("m", {0: [0.1, 0.3]}), frame("m", {0: [0.7, 0.9]}, "tools")])
    actual = interval(crossed(rows))
    assert actual.half_width == pytest.approx(4.302652730 * math.sqrt(0.04 / 2 / 4), rel=1e-9)
    assert (actual.mean, actual.n) == (pytest.approx(0.5), 4)


@pytest.mark.parametrize(("n_trainings", "training_sd"), [(3, 0.0), (3, 0.04), (5, 0.01), (7, 0.04)])
def test_intervals_cover_the_truth(n_trainings: int, training_sd: float) -> None:
    """Of simulated experiments with known variances 93 to 97 % have an interval that holds the true mean."""
    random, n_episodes, n_experiments = np.random.default_rng(n_trainings), 40, 1500
    columns = pd.MultiIndex.from_product([["toys"], range(n_episodes)], names=["dataset", "episode"])
    covered = 0
    for _ in range(n_experiments):
        values = random.normal(0, training_sd, (n_trainings, 1)) + random.normal(0, 0.08, n_episodes)
        values += random.normal(0, 0.05, (n_trainings, n_episodes))
        actual = interval(pd.DataFrame(values, columns=columns))
        covered += abs(actual.mean) < actual.half_width
    assert 0.93 <= covered / n_experiments <= 0.97


@pytest.mark.parametrize(
    ("n_replicates", "n_seeds", "replicate_sd", "seed_sd"),
    [(3, 2, 0.0, 0.02), (5, 3, 0.03, 0.01)],
)
def test_intervals_over_replicates_cover_the_truth(
    n_replicates: int, n_seeds: int, replicate_sd: float, seed_sd: float
) -> None:
    """Likewise if seeds are nested in replicates, and replicates are good at different episodes."""
    random, n_episodes, n_experiments = np.random.default_rng(n_replicates), 40, 1500
    columns = pd.MultiIndex.from_product([["toys"], range(n_episodes)], names=["dataset", "episode"])
    covered = 0
    for _ in range(n_experiments):
        values = random.normal(0, replicate_sd, (n_replicates, 1, 1)) + random.normal(0, 0.08, n_episodes)
        values = values + random.normal(0, 0.03, (n_replicates, 1, n_episodes))
        values = values + random.normal(0, seed_sd, (n_replicates, n_seeds, 1))
        values += random.normal(0, 0.05, (n_replicates, n_seeds, n_episodes))
        actual = interval(pd.DataFrame(values.mean(1), columns=columns))
        covered += abs(actual.mean) < actual.half_width
    assert 0.93 <= covered / n_experiments <= 0.97


def of_replicates(method: str, accuracies: list[dict[int, list[float]]]) -> pd.DataFrame:
    """Return rows of one method: for each replicate its accuracies by seed."""
    names = ["s", *(f"s~{number}" for number in range(2, len(accuracies) + 1))]
    rows = [frame(method, values).assign(scenario=name) for name, values in zip(names, accuracies, strict=True)]
    return tell_replicates(pd.concat(rows))


def test_a_row_is_a_replicate_averaged_over_its_seeds() -> None:
    accuracies = [{0: [0.2, 0.4], 1: [0.4, 0.4]}, {0: [0.6, 0.8], 1: [0.6, 1.0]}]
    rows = of_replicates("m", accuracies)
    assert set(rows["scenario"]) == {"s"}
    table = crossed(rows)
    assert list(table.index) == [1, 2] and table.to_numpy() == pytest.approx(np.array([[0.3, 0.4], [0.6, 0.9]]))
    assert interval(table).n_trainings == 2
    # standard deviations of two numbers: of 0.3 and 0.4, and of 0.7 and 0.8
    assert spread_within_replicates(rows) == pytest.approx(0.1 / math.sqrt(2))
    assert seed_spread(table) == pytest.approx(0.4 / math.sqrt(2))
    assert spread_within_replicates(of_replicates("m", [{0: [0.2, 0.4]}, {0: [0.6, 0.8]}])) is None


def test_methods_are_paired_within_a_replicate() -> None:
    """What a replicate does to all methods alike is no uncertainty of their difference."""
    levels = (0.2, 0.5, 0.8)
    a = of_replicates("a", [{0: [level, level + 0.1]} for level in levels])
    b = of_replicates("b", [{0: [level - 0.05, level + 0.05]} for level in levels])
    actual = difference(crossed(a), crossed(b))
    assert (actual.mean, actual.half_width, actual.n_trainings) == (pytest.approx(0.05), pytest.approx(0, abs=1e-9), 3)
    assert interval(crossed(a)).half_width > 0.5


def test_p_value_is_where_the_interval_excludes_zero() -> None:
    a = crossed(frame("a", {0: [0.5, 0.7, 0.6], 1: [0.6, 0.7, 0.8], 2: [0.5, 0.9, 0.7]}))
    b = crossed(frame("b", {0: [0.4, 0.5, 0.5], 1: [0.5, 0.6, 0.6], 2: [0.5, 0.6, 0.5]}))
    actual = difference(a, b)
    assert 0 < actual.p_value < 1 and (actual.p_value < 0.05) == (abs(actual.mean) > actual.half_width)
    shifted = difference(a - (actual.mean - actual.half_width), b)
    assert shifted.p_value == pytest.approx(0.05, rel=1e-9)


def test_equivalence_needs_the_whole_interval_within_the_margin() -> None:
    a = crossed(frame("a", {seed: [0.500, 0.601, 0.702] for seed in range(3)}))
    b = crossed(frame("b", {seed: [0.501, 0.600, 0.700] for seed in range(3)}))
    actual = difference(a, b)
    assert actual.equivalent(0.01) and not actual.equivalent(abs(actual.mean))


def test_trainings_of_other_seeds_are_averaged() -> None:
    a = crossed(frame("a", {0: [0.5, 0.7], 1: [0.7, 0.7]}))
    actual = difference(a, crossed(frame("b", {0: [0.5, 0.6]})))
    assert (actual.mean, actual.n_trainings) == (pytest.approx(0.1), 1)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([]) == []


def test_pairs_need_the_same_episodes() -> None:
    with pytest.raises(TgrError, match="different episodes"):
        difference(crossed(frame("a", {0: [0.1, 0.2]})), crossed(frame("b", {0: [0.1, 0.2, 0.3]})))


def test_spread_over_seeds() -> None:
    rows = crossed(frame("a", {0: [0.2, 0.4, 0.6], 1: [0.4, 0.4, 0.8]}))
    assert seed_spread(rows) == pytest.approx(abs(1.6 / 3 - 0.4) / math.sqrt(2))
    assert seed_spread(crossed(frame("a", {0: [0.2, 0.4]}))) is None


@pytest.mark.parametrize("seeds", [{0: [0.2, 0.4], 1: [0.2]}, {0: [0.2, 0.4], 1: [0.2, 0.3, 0.4]}])
def test_seeds_with_different_episodes_are_refused(seeds: dict[int, list[float]]) -> None:
    with pytest.raises(TgrError, match="do not share the same episodes"):
        crossed(frame("a", seeds))
    twice = pd.concat([frame("a", {0: [0.2, 0.4]}), frame("a", {0: [0.2, 0.4]})])
    with pytest.raises(TgrError, match="do not share the same episodes"):
        crossed(twice)


def test_stars_and_bold_need_three_trainings() -> None:
    truth = {"random": 0.3, "bank": 0.6, "distil": 0.6005, "tgr": 0.5}
    generator = np.random.default_rng(0)
    episodes = generator.normal(0, 0.05, 60)

    def summary(n_seeds: int) -> pd.DataFrame:
        rows = [
            frame(name, {seed: list(mean + episodes + generator.normal(0, 0.004, 60)) for seed in range(n_seeds)})
            for name, mean in truth.items()
        ]
        return summarise(pd.concat(rows), list(truth)).set_index("method")

    for few in (1, 2):
        assert not summary(few)[["significant", "as_good_as_best"]].to_numpy().any()
    table = summary(3)
    assert set(table.index[table["as_good_as_best"]]) == {"bank", "distil"}
    assert set(table.index[table["significant"]]) == {"random", "bank", "distil"}
    assert (table["p_holm"].dropna() >= table["p_value"].dropna()).all()


@pytest.mark.parametrize(("n_replicates", "n_seeds", "enough"), [(2, 5, False), (3, 1, True)])
def test_with_replicates_only_these_are_independent_trainings(n_replicates: int, n_seeds: int, enough: bool) -> None:
    generator = np.random.default_rng(0)
    episodes = generator.normal(0, 0.05, 60)

    def accuracies(mean: float) -> list[dict[int, list[float]]]:
        return [
            {seed: list(mean + episodes + generator.normal(0, 0.004, 60)) for seed in range(n_seeds)}
            for _ in range(n_replicates)
        ]

    rows = pd.concat([of_replicates(name, accuracies(mean)) for name, mean in {"bank": 0.6, "tgr": 0.5}.items()])
    table = summarise(rows, ["bank", "tgr"]).set_index("method")
    assert set(table["n_replicates"]) == {n_replicates} and set(table["n_seeds"]) == {n_seeds}
    assert (table.loc["bank", "significant"], table.loc["bank", "as_good_as_best"]) == (enough, enough)
    assert table["replicate_std"].notna().all() and table["seed_std"].notna().all() == (n_seeds > 1)


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
