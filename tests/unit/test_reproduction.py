"""A run held against committed results: equal, within, outside, and what cannot be compared."""

import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tgr.artifacts import digest, provenance_path, read_frame, sha256_of, write_json
from tgr.config.load import digest_settings, load
from tgr.run import reproduction
from tgr.run.provenance import read_record, write_record
from tgr.run.recorded_settings import find_other_settings
from tgr.workflow.jobs import Jobs
from tgr.workflow.parameters import entry, parameters
from tgr.workflow.paths import EVALUATION, MODEL, RECOVERED, TEACHERS

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "results/reference/default/icons/main.csv"
CONFIG = ROOT / "config/config.yaml"
MAIN = Path("results/tables/icons/main.csv")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of which a run is committed, whose bytes only the main table knows."""
    folder = tmp_path / "reference/first-look"
    (folder / "icons").mkdir(parents=True)
    shutil.copyfile(COMMITTED, folder / "icons/main.csv")
    copy = tmp_path / "config.yaml"
    shutil.copyfile(CONFIG, copy)
    about = {"configuration": {"file": "config/config.yaml", "settings": digest_settings(copy)}}
    about |= {"commit": "0123456789abcdef", "finished": "2026-01-02T03:04:05", "figures": {}}
    tables = {name: sha256_of(COMMITTED) for name in ("icons/main.csv", "icons/cost.csv")}
    write_json(folder / "manifest.json", {"runs": [about | {"tables": tables}]})
    monkeypatch.setattr(reproduction, "REFERENCE", folder.parent)
    return copy


@pytest.fixture
def hold(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Compare a run with a changed main table; return exit code and all that was printed."""

    def compare(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table) -> tuple[int, str]:
        (tmp_path / MAIN).parent.mkdir(parents=True, exist_ok=True)
        change(read_frame(COMMITTED)).to_csv(tmp_path / MAIN, index=False)
        code = reproduction.main([str(config), str(tmp_path)])
        return code, "".join(capsys.readouterr())

    return compare


def shifted(by: float, method: str = "tgr") -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(mean=table["mean"] + by * (table["method"] == method))


def test_a_comment_makes_no_other_configuration(config: Path, hold: Callable[..., tuple[int, str]]) -> None:
    config.write_text(f"# A comment.\n{config.read_text()}")
    assert hold()[0] == 0


def test_the_same_numbers_are_equal(hold: Callable[..., tuple[int, str]]) -> None:
    code, said = hold()
    assert code == 0 and "reproduced, to the last digit" in said and "1 of 1 artefacts have the committed bytes" in said
    assert "against the committed run first-look (commit 0123456789, 2026-01-02)" in said


def test_small_differences_are_within_and_large_ones_outside(hold: Callable[..., tuple[int, str]]) -> None:
    n_rows = int((read_frame(COMMITTED)["method"] == "tgr").sum())
    code, said = hold(shifted(0.02))
    assert code == 0 and f"{n_rows} within, 0 outside" in said and "+2.0 of " in said
    assert "0 of 1 artefacts have the committed bytes; the first that differs or is missing: " + str(MAIN) in said
    code, said = hold(shifted(-0.2))
    assert code == 1 and f"0 within, {n_rows} outside" in said and "trained once" in said
    [line] = [line for line in said.splitlines() if line.startswith("tgr ")]
    assert line.split()[-1] == "outside" and line.count("!") == n_rows


def test_what_is_allowed_by_hand(hold: Callable[..., tuple[int, str]], config: Path, tmp_path: Path) -> None:
    hold(lambda table: table.assign(ci95=0.03).iloc[:10])
    reference = reproduction.find_reference(config)
    read_frame(COMMITTED).assign(ci95=0.04).iloc[:10].to_csv(reference.folder / "icons/main.csv", index=False)
    [judged] = reproduction.compare(reference, tmp_path).values()
    normal_9975, normal_975 = 2.807033768, 1.959963985  # quantiles of the normal distribution, from a table
    assert judged["allowed"].tolist() == pytest.approx([0.05 * normal_9975 / normal_975] * 10)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda table: table.assign(n_episodes=600), "n_episodes of pixels is 600"),
        (lambda table: table.assign(split="meta_val"), "split of pixels is meta_val"),
        (lambda table: table[table["method"] != "tgr"], "has other rows than"),
    ],
)
def test_other_samples_are_not_compared(hold: Callable[..., Any], change: Callable[..., Any], problem: str) -> None:
    code, said = hold(change)
    assert code == 2 and said.startswith("not comparable: ") and problem in said


def test_what_is_unfinished_or_not_committed_is_not_compared(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reproduction.main([str(config), str(tmp_path / "elsewhere")]) == 2
    assert "is missing; finish the run first" in capsys.readouterr().err
    config.write_text(config.read_text() + "device: cpu\n")
    assert reproduction.main([str(config), str(tmp_path)]) == 2
    assert "take the file of commit 0123456789" in capsys.readouterr().err
    other = config.rename(config.with_name("mine.yaml"))
    assert reproduction.main([str(other), str(tmp_path)]) == 2
    assert "no run of it is in" in capsys.readouterr().err


def test_results_of_other_settings_are_named(hold: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    settings = load(CONFIG)
    parameters = settings.main_methods("icons")["tgr"].parameters.model_dump(mode="json")
    record = tmp_path / "results/models/icons/tgr/shot-any/seed-0/provenance.json"
    record.parent.mkdir(parents=True)

    def write(**changed: Any) -> None:
        params = {"variant": {"tgr": parameters | changed}, "meta": settings.meta.model_dump(mode="json")}
        write_record(record, {"output": "x", "sha256": "0", "inputs": {}, "params": params})

    write()
    assert hold()[0] == 0
    write(group_steps=7)
    code, said = hold()
    assert code == 2 and "seed-0: was made with another value of variant.tgr.group_steps" in said


PARAMETERS = {
    MODEL: ("train", {"variant": "variant/{scenario}/{method}", "meta": "meta"}),
    EVALUATION: ("evaluate", {"evaluation": "evaluation/{scenario}/{method}"}),
    RECOVERED: ("invert", {"inversion": "inversion/{pool}"}),
    TEACHERS: ("pretrain", {"pretrain": "pretrain/{pool}"}),
}
"""Which entries of the workflow's parameters its rules record, by the place of what they make."""


def test_settings_in_the_records_of_every_stage_are_those_of_the_workflow(tmp_path: Path) -> None:
    settings = load(ROOT / "config/smoke.yaml")
    tree = parameters(Jobs(settings))
    trainings = [(scenario, name) for scenario in settings.scenarios for name in settings.all_variants(scenario)]
    places = [{"scenario": scenario, "method": name, "shot": "any", "seed": "0"} for scenario, name in trainings]
    places += [{"pool": pool, "shard": "0"} for pool in settings.trained_pools]
    records = []
    for place, (pattern, (rule, keys)) in product(places, PARAMETERS.items()):
        if ("pool" in place) == ("{pool}" in pattern):
            params = {key: entry(tree, path)(place) for key, path in keys.items()}
            record = tmp_path / pattern.format(**place) / "provenance.json"
            record.parent.mkdir(parents=True, exist_ok=True)
            write_record(record, {"output": rule, "sha256": "0", "inputs": {}, "params": params})
            records.append((record, [*keys]))
    assert find_other_settings(settings, tmp_path) is None
    for record, keys in records:
        made = read_record(record)
        for key in keys:
            write_record(record, made | {"params": made["params"] | {key: {}}})
            assert f"another value of {key}" in str(find_other_settings(settings, tmp_path))
        write_record(record, made)


def test_a_damaged_record_is_named(hold: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    record = tmp_path / "results/recovered/icons-conv4/shard-0/provenance.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    code, said = hold()
    assert code == 2 and f"not comparable: {record}: is damaged, or no record" in said


def test_digests_of_all_artefacts_are_compared_where_they_are_committed(
    hold: Callable[..., tuple[int, str]], config: Path, tmp_path: Path
) -> None:
    artefacts = {}
    for name in ("a", "b", "c", "d"):
        file = tmp_path / f"results/datasets/{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
        sha256 = artefacts[str(file.relative_to(tmp_path))] = digest(file)
        if name != "d":
            write_record(provenance_path(file), {"output": str(file), "sha256": sha256, "inputs": {}})
    artefacts["results/datasets/b.safetensors"] = "another"
    (tmp_path / "results/datasets/c.safetensors").write_text("damaged since")
    listed = {"processor": {}, "versions": {}, "artefacts": artefacts}
    write_json(reproduction.find_reference(config).folder / "digests.json", listed)
    code, said = hold()
    assert code == 0
    assert "1 of 4 artefacts have the committed bytes; the first that differs or is missing: results/datasets/b" in said
