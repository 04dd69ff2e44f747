"""Tables of ablations, pools, costs, and the overview of all scenarios."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from synthetic_ablation import measure_ablation
from synthetic_results import summary_of, write_evaluation

from tgr.artifacts import read_frame, read_json, write_json
from tgr.errors import TgrError
from tgr.reporting.publish import reference
from tgr.reporting.tables import ablation, cost, main, overview, pools, selection
from tgr.reporting.tables.accuracies import phase_note
from tgr.reporting.tables.markup import MISSING, Table

METHODS = {"bank": "Bank", "tgr": "TGR"}


def cells_of(markdown: str, row: str) -> list[list[str]]:
    """Return the cells of all rows of some Markdown that have a label."""
    lines = [line.split("|")[1:-1] for line in markdown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in cells[1:]] for cells in lines if cells[0].strip() == row]


def test_ablation_table_shows_conflict_before_accuracies(tmp_path: Path) -> None:
    variants = {
        "tgr.heads-shared": {"method": "TGR", "changes": {"heads": "shared"}},
        "tgr": {"method": "TGR", "changes": {"heads": "aligned"}},
    }
    accuracies = read_frame(measure_ablation(tmp_path, variants)["accuracies"])
    table = ablation.table(accuracies, caption="Label order", headline="meta_val")
    markdown = table.to_markdown()
    first = accuracies[accuracies["method"] == "tgr.heads-shared"].iloc[0]
    [shared] = cells_of(markdown, "TGR: heads shared")
    assert shared[:2] == [f"{first['gradient_cosine']:.3g}", f"{first['relative_variance']:.3g}"]
    assert len(shared) == 2 + 2 * 3
    assert "paired difference to TGR: heads aligned" in markdown and "gradient conflict" in table.to_latex()
    assert list(table.frame) == [column for column in accuracies if column != "label"]


def test_main_table_names_heads_and_published_accuracies(tmp_path: Path) -> None:
    summary = summary_of([write_evaluation(tmp_path, name, 0.5) for name in METHODS], METHODS)
    markdown = main.table(summary, heads={"aligned": ["FREE", "BiDf-MKD"], "per_teacher": ["TGR"]}).to_markdown()
    assert "Heads: FREE, BiDf-MKD: aligned; TGR: per teacher." in markdown and "Published" not in markdown
    assert "Published: X 1 %. Teachers" in main.table(summary, published=["X 1 %"]).to_markdown()


def test_many_networks_are_no_rival_and_say_their_number(tmp_path: Path) -> None:
    means = {"bank": 0.5, "tgr": 0.4, "ensemble": 0.7}
    labels = METHODS | {"ensemble": "Ensemble"}
    folders = [write_evaluation(tmp_path, name, mean, seed=seed) for name, mean in means.items() for seed in range(3)]
    summary = summary_of(folders, labels)
    table = main.table(summary, networks={"Ensemble": 20})
    markdown = table.to_markdown()
    assert "At use each image passes 20 networks of Ensemble, and one of any other method: read these" in markdown
    for text in (markdown, overview.table([summary]).to_markdown()):
        assert "left out, and so is Ensemble, which is no single network." in text
        bold = {row: any("**" in cell for cells in cells_of(text, row) for cell in cells) for row in ("Bank", "TGR")}
        assert bold == {"Bank": True, "TGR": False}
        assert not any("**" in cell for cells in cells_of(text, "Ensemble (many networks)") for cell in cells)
    without = summary[summary["method"] != "ensemble"]
    assert "and so is" not in main.table(without).to_markdown()
    assert "networks of" not in main.table(without).to_markdown()


def test_pools_table_leaves_out_what_is_unknown() -> None:
    row = {"scenario": "toys", "dataset": "toys", "architecture": "conv4", "image_size": "16", "n_teachers": 2}
    row |= {"n_classes": "3", "held_out_accuracy": 0.9, "agreement": 0.905, "bn_distance": 1.25, "steps": None}
    rows = [row | {"pool": "a", "student_accuracy": 0.625, "n_students": 2}]
    rows.append(row | {"pool": "b", "student_accuracy": None, "n_students": 0})
    markdown = pools.table(pd.DataFrame(rows)).to_markdown()
    assert [cells[5:] for cells in cells_of(markdown, "a")] == [["90.0 %", "90.5 %", "1.25", "62.5 %", "\u2013"]]
    assert cells_of(markdown, "b")[0][8] == "\u2013"
    assert "mean over 2 teachers a pool" in markdown
    assert "Student" not in pools.table(pd.DataFrame(rows[1:])).notes[-1]


def test_cost_table_has_a_unit() -> None:
    row = {"scenario": "toys", "stage": "teachers", "jobs": 1, "units": 2, "unit": "teacher"}
    stages = pd.DataFrame([row | {"seconds": 1.0, "each": 0.5, "planned": None, "memory_mb": 300}])
    assert cells_of(cost.table(stages).to_markdown(), "teachers") == [["1", "1", "0.5 / teacher", MISSING, "300"]]


def test_overview_puts_scenarios_side_by_side(tmp_path: Path) -> None:
    evaluations = [write_evaluation(tmp_path, name, mean) for name, mean in {"bank": 0.5, "tgr": 0.6}.items()]
    toys = summary_of(evaluations, METHODS)
    tools = toys[toys["method"] == "tgr"].assign(scenario="tools")
    table = overview.table([toys, tools], headline="meta_val")
    assert set(zip(table.frame["scenario"], table.frame["method"], strict=True)) == {
        ("toys", "bank"),
        ("toys", "tgr"),
        ("tools", "tgr"),
    }
    rows = cells_of(table.to_markdown(), "Bank")
    assert len(rows) == 3 and all(cells[-1] == "\u2013" for cells in rows)


def test_overview_names_the_reference_of_each_scenario(tmp_path: Path) -> None:
    labels = METHODS | {"best": "Best"}
    folders = [write_evaluation(tmp_path, name, mean) for name, mean in {"best": 0.4, "bank": 0.5, "tgr": 0.6}.items()]
    toys = summary_of(folders, labels)
    assert "paired difference to TGR on" in overview.table([toys], headline="meta_val").to_markdown()
    tools = summary_of(folders[:2], labels).assign(scenario="tools")
    said = overview.table([toys, tools], headline="meta_val").to_markdown()
    assert "paired difference to TGR (toys) and Bank (tools) on" in said


def test_documents_show_the_committed_tables() -> None:
    texts = {document: document.read_text(encoding="utf-8") for document in reference.list_documents()}
    assert any(reference.TABLE.search(text) for text in texts.values())
    stale = [document for document, text in texts.items() if reference.fill_in_tables(text) != text]
    assert not stale, "run `python -m tgr.reporting.publish.reference`"


def test_summary_of_several_datasets_shows_all_episodes_pooled() -> None:
    columns = ["method", "role", "dataset", "shot", "protocol", "mean", "ci95"]
    rows = [("bank", "method", name, 1, "ncm", mean, 0.01) for name, mean in (("all", 0.4), ("a", 0.3), ("b", 0.5))]
    lines = reference.format_accuracies(pd.DataFrame(rows, columns=columns)).splitlines()
    assert lines == ["| method | 1-shot ncm |", "|---|--:|", "| `bank` | 40.0 \u00b1 1.0 |"]


def test_documents_show_every_committed_figure() -> None:
    figures = (reference.ROOT / reference.REFERENCE).glob("*/figures/**/*.png")
    names = [file.relative_to(reference.ROOT / reference.REFERENCE).parts for file in figures]
    assert names and not [name for name in names if not reference.is_shown(name[0], "/".join(name[2:]))]


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Take a snapshot of a run that made some of the committed main tables; return the manifest."""
    root = tmp_path / "project"
    shutil.copytree(reference.ROOT / "config", root / "config")
    (root / "docs").mkdir()
    (root / "README.md").write_text("![A](results/reference/snapshot/figures/icons/accuracy.png)")
    committed = reference.ROOT / "results/reference/full_cpu"
    monkeypatch.setattr(reference, "describe_run", partial(_account_without_git, reference.describe_run))
    monkeypatch.setattr(reference, "ROOT", root)

    def take(run: str, *scenarios: str, keep: bool = False, changed: Sequence[str] = ()) -> dict:
        costs = tmp_path / run / "results/benchmarks/train"
        costs.mkdir(parents=True)
        for seconds in (60, 120):
            (costs / f"{seconds}.tsv").write_text(f"s\tmax_rss\n{seconds}\t{seconds}\n")
        for scenario in scenarios:
            tables = tmp_path / run / "results/tables" / scenario
            tables.mkdir(parents=True)
            for suffix in ("csv", "md"):
                source = committed / (scenario if (committed / scenario).exists() else "icons")
                shutil.copyfile(source / f"main.{suffix}", tables / f"main.{suffix}")
            csv = tables / "main.csv"
            pd.read_csv(csv).assign(selection="datafree").to_csv(csv, index=False)  # made under another headline
            write_json(tables / "main.csv.provenance.json", {"versions": {"tgr": "1"}, "finished": run})
            figures = tmp_path / run / "results/figures" / scenario
            figures.mkdir(parents=True)
            for figure in ("accuracy", "cost"):
                (figures / f"{figure}.png").write_bytes(b"a picture")
        reference.take_snapshot("snapshot", Path("config/full_cpu.yaml"), tmp_path / run, keep, changed)
        return read_json(root / "results/reference/snapshot/manifest.json")

    return take


def test_reference_names_what_the_tables_were_made_from(snapshot: Callable[..., dict]) -> None:
    [made] = snapshot("first", "icons")["runs"]
    assert (made["job_core_minutes"], made["peak_memory_of_a_job_mb"], made["jobs"]) == (3.0, 120, 2)
    assert made["configuration"]["file"] == "config/full_cpu.yaml" and list(made["tables"]) == ["icons/main.csv"]
    assert list(made["figures"]) == ["icons/accuracy.png"]
    assert (reference.ROOT / "results/reference/snapshot/figures/icons/accuracy.png").read_bytes() == b"a picture"
    file = reference.ROOT / "results/reference/snapshot/icons/main.md"
    rows = "".join(line for line in file.read_text().splitlines(keepends=True) if line.startswith("|"))
    shown = reference.fill_in_tables("x\n<!-- table snapshot/icons/main -->\nold\n<!-- end of table -->\ny\n")
    assert shown == f"x\n<!-- table snapshot/icons/main -->\n\n{rows}\n<!-- end of table -->\ny\n"
    file.write_text(file.read_text() * 2)
    with pytest.raises(TgrError, match="several tables"):
        reference.fill_in_tables("<!-- table snapshot/icons/main -->\n<!-- end of table -->")
    with pytest.raises(TgrError, match="but a document shows it"):
        reference.fill_in_tables("<!-- table snapshot/nothing -->\n<!-- end of table -->")


def test_reference_says_what_the_command_line_changed(snapshot: Callable[..., dict]) -> None:
    commands = [
        snapshot(run, "icons", changed=keys)["runs"][0]["command"] for run, keys in (("a", ()), ("b", ["device=cpu"]))
    ]
    assert commands[0] == "make reproduce CONFIG=config/full_cpu.yaml"
    assert commands[1] == "snakemake --configfile config/full_cpu.yaml --config device=cpu"


def test_a_document_may_show_the_methods_that_it_names(snapshot: Callable[..., dict]) -> None:
    snapshot("first", "icons")
    mark = "<!-- summary snapshot/icons/main of tgr {} -->\n<!-- end of table -->"
    shown = reference.fill_in_tables(mark.format("bank")).splitlines()
    assert shown[0] == "<!-- summary snapshot/icons/main of tgr bank -->"
    assert [line.split("|")[1].strip() for line in shown if line.startswith("| `")] == ["`tgr`", "`bank`"]
    with pytest.raises(TgrError, match=r"icons/main\.csv: no row of nobody, but"):
        reference.fill_in_tables(mark.format("nobody"))


def test_reference_leaves_out_what_other_configurations_made(snapshot: Callable[..., dict]) -> None:
    [made] = snapshot("first", "icons", "elsewhere")["runs"]
    assert list(made["tables"]) == ["icons/main.csv"]
    assert not (reference.ROOT / "results/reference/snapshot/elsewhere").exists()


def test_reference_keeps_tables_of_earlier_runs_on_request(snapshot: Callable[..., dict]) -> None:
    snapshot("first", "icons", "glyphs")
    earlier, later = snapshot("second", "glyphs", "emoji", keep=True)["runs"]
    assert (earlier["finished"], list(earlier["tables"])) == ("first", ["icons/main.csv"])
    assert set(later["tables"]) == {"glyphs/main.csv", "emoji/main.csv", "overview.csv"}
    overview = pd.read_csv(reference.ROOT / "results/reference/snapshot/overview.csv")
    assert list(overview["scenario"].unique()) == ["icons", "glyphs", "emoji"]
    [only] = snapshot("third", "icons")["runs"]
    assert list(only["tables"]) == ["icons/main.csv"]


def _account_without_git(account: Callable[..., dict], config: Path, run: Path) -> dict:
    done = subprocess.CompletedProcess([], 0, stdout="0123456789\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "run", lambda *_, **__: done)
        return account(config, run)


def test_tables_say_which_phases_a_chosen_checkpoint_had_had() -> None:
    rows = [
        ("tgr", "TGR", "last", "group + replay"),
        ("tgr", "TGR", "meta_val", "group"),
        ("bank", "Bank", "last", "bank"),
        ("bank", "Bank", "meta_val", "bank"),
    ]
    frame = pd.DataFrame(rows, columns=["method", "label", "selection", "phase"]).assign(shot=5)
    start = "Phases of the training before the chosen checkpoint: TGR: "
    assert phase_note(frame, "selection", {"last": "last", "meta_val": "meta-val"}) == [
        start + "group + replay (last), group (meta-val)."
    ]
    assert phase_note(frame[frame["selection"] == "meta_val"], "shot", {5: "5-shot"}) == [start + "group."]
    assert phase_note(frame[frame["method"] == "bank"], "shot", {5: "5-shot"}) == []


@pytest.mark.parametrize("table", [main.table, selection.table])
def test_phases_stand_under_the_tables(tmp_path: Path, table: Callable[..., Table]) -> None:
    folders = [write_evaluation(tmp_path, "tgr", 0.6), write_evaluation(tmp_path, "random", 0.3)]
    summary = summary_of(folders, {"tgr": "TGR", "random": "Random"})
    shown = table(summary)
    assert any("before the chosen checkpoint: TGR: group + replay." in note for note in shown.notes)
    assert "phase" in shown.frame
