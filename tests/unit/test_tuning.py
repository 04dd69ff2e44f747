"""Equal tuning: the shipped grids, and the choice among finished trials."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tgr.artifacts import write_json
from tgr.config.load import load, validate
from tgr.config.methods.registry import CARDS
from tgr.config.schema import Config
from tgr.errors import TgrError
from tgr.tuning.__main__ import main
from tgr.tuning.trials import gather
from tgr.workflow.jobs import Jobs
from tgr.workflow.paths import EVALUATION, MODEL

ROOT = Path(__file__).parents[2]
TUNINGS = sorted((ROOT / "config/tuning").glob("*.yaml"))
TRIALS = {"icons": 12, "finals": 3}
"""Trials of each method in each round ..."""
SCALE = {"icons": 4, "finals": 1}
"""... and by how much they are shorter than the comparison."""
COMPARED = [name for name in load(ROOT / "config/comparison.yaml").methods.active() if CARDS[name].equal_cost]
SMALL = """
datasets: {icons: {}}
pools: {icons-conv4: {dataset: icons, n_teachers: 5}}
scenarios: {tuning: {pools: [icons-conv4], evaluate_on: [icons], methods: [random]}}
methods: {random: {}, bank: {}, tgr: {}}
ablations:
  bank: {scenario: tuning, methods: [bank], factors: {lr: [0.003, 0.01], teachers_per_batch: [null]}}
  tgr: {scenario: tuning, methods: [tgr], factors: {temperature: [1, 2]}}
evaluation: {split: meta_val, selections: [last], headline: last, shots: [1, 5], seeds: [7], protocols: [ncm]}
"""


def small(**changes: Any) -> Config:
    return validate(yaml.safe_load(SMALL) | changes, "tuning.yaml")


@pytest.mark.parametrize("file", TUNINGS, ids=lambda file: file.stem)
def test_every_method_has_as_many_trials(file: Path) -> None:
    config = load(file)
    variants = [variant for name in config.ablations for variant in config.ablation_variants(name).values()]
    counts = {name: sum(variant.method == name for variant in variants) for name in CARDS}
    assert {name: n for name, n in counts.items() if n} == dict.fromkeys(COMPARED, TRIALS[file.stem])


@pytest.mark.parametrize("file", TUNINGS, ids=lambda file: file.stem)
def test_trials_see_no_test_class_and_no_seed_of_a_result(file: Path) -> None:
    config = load(file)
    assert config.evaluation.split == "meta_val"
    results = {seed for other in (ROOT / "config").glob("*.yaml") for seed in load(other).evaluation.seeds}
    assert not results & set(config.evaluation.seeds)


@pytest.mark.parametrize("file", TUNINGS, ids=lambda file: file.stem)
def test_trials_have_a_share_of_the_steps_of_the_comparison(file: Path) -> None:
    tuning, full = load(file).methods.active(), load(ROOT / "config/comparison.yaml")
    for name in COMPARED:
        for key in CARDS[name].lengths:
            value = getattr(full.methods.active()[name], key)
            assert getattr(tuning[name], key) == pytest.approx(value / SCALE[file.stem], abs=1), f"methods.{name}.{key}"


def write_trials(config: Config, run: Path, split: str = "meta_val") -> None:
    for job in [job for name in config.ablations for job in Jobs(config).evaluations("tuning", _names(config, name))]:
        folder = run / EVALUATION.format(**job._asdict())
        folder.mkdir(parents=True)
        best = 0.5 if job.method in ("bank.lr-0.01.teachers_per_batch-none", "tgr") else 0.3
        rows = {"protocol": "ncm", "shot": job.shot, "selection": "last", "split": split}
        pd.DataFrame(rows | {"accuracy": [best, best + 0.02 * job.shot]}).to_parquet(folder / "episodes.parquet")
    for model in Jobs(config).models("tuning"):
        folder = run / MODEL.format(**model._asdict())
        folder.mkdir(parents=True)
        write_json(folder / "model.json", {"wall_seconds": 2.0})


def _names(config: Config, ablation: str) -> list[str]:
    return list(config.ablation_variants(ablation))


def test_the_best_trial_of_each_method_is_chosen(tmp_path: Path) -> None:
    config = small()
    write_trials(config, tmp_path)
    trials = gather(config, tmp_path)["tuning"]
    assert trials["parameters"].tolist() == [
        "lr: 0.003, teachers_per_batch: null",
        "lr: 0.01, teachers_per_batch: null",
        "temperature: 1",
        "temperature: 2",
    ]
    assert trials["chosen"].tolist() == [False, True, True, False]
    assert trials["criterion"].tolist() == pytest.approx([0.33, 0.53, 0.53, 0.33])
    assert trials["ncm 5-shot"].tolist() == pytest.approx([0.35, 0.55, 0.55, 0.35])


def test_command_writes_all_trials_and_prints_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tuning.yaml").write_text(SMALL)
    write_trials(small(), tmp_path)
    assert main([str(tmp_path / "tuning.yaml"), "--run", str(tmp_path)]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed == {"methods": {"bank": {"lr": 0.01, "teachers_per_batch": None}, "tgr": {"temperature": 1}}}
    assert len(pd.read_csv(tmp_path / "results/tables/tuning/trials.csv")) == 4


def test_trials_that_did_not_run_or_saw_test_classes_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(TgrError, match="has not run"):
        gather(small(), tmp_path)
    write_trials(small(), tmp_path, "meta_test")
    with pytest.raises(TgrError, match="evaluated on meta_test"):
        gather(small(), tmp_path)
    with pytest.raises(TgrError, match=r"evaluation\.split"):
        gather(small(evaluation={"shots": [1]}), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"selections": ["last", "meta_val"], "protocols": ["ncm"]}, "the rules meta_val and oracle would choose"),
        ({"protocols": ["ncm", "finetune_tuned"]}, "finetune_tuned is tuned"),
    ],
)
def test_nothing_is_chosen_on_the_episodes_that_measure(changes: dict[str, Any], message: str) -> None:
    evaluation = {"split": "meta_val", "selections": ["last"], "headline": "last"} | changes
    with pytest.raises(TgrError, match=message):
        small(evaluation=evaluation)
