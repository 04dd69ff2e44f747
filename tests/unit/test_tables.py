"""Tables of ablations, pools, costs, and the overview of all scenarios."""

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from synthetic_results import make_dataset, write_evaluation, write_model, write_shard

from tgr.artifacts import read_json, write_json
from tgr.errors import TgrError
from tgr.reporting.publish import reference
from tgr.reporting.tables.ablation import write_ablation_table
from tgr.reporting.tables.cost import count_images, write_cost_table
from tgr.reporting.tables.overview import write_overview_table
from tgr.reporting.tables.pools import write_pools_table

VARIANTS = {
    "tgr.heads-shared": {"method": "TGR", "changes": {"heads": "shared"}},
    "tgr": {"method": "TGR", "changes": {"heads": "aligned"}},
}


def outputs(root: Path) -> list[Path]:
    return [root / "tables" / f"table.{suffix}" for suffix in ("csv", "md", "tex")]


def write_conflict(root: Path, method: str, cosine: float) -> Path:
    folder = root / "models" / "toys" / method / "shot-any" / "seed-0"
    folder.mkdir(parents=True)
    write_json(folder / "model.json", {"scenario": "toys", "method": method, "shot": "any", "seed": 0})
    rows = [(step, "group", "gradient_cosine", cosine + 0.1 * (step - 2)) for step in (1, 2, 3)]
    rows += [(step, "group", "relative_variance", 4.0) for step in (1, 2, 3)]
    rows.append((4, "replay", "loss", 1.0))
    frame = pd.DataFrame(rows, columns=["step", "phase", "name", "value"])
    frame.to_parquet(folder / "curves.parquet", index=False)
    return folder


def test_ablation_table(tmp_path: Path) -> None:
    means = {"tgr.heads-shared": 0.4, "tgr": 0.6}
    evaluations = [write_evaluation(tmp_path, name, mean) for name, mean in means.items()]
    models = [write_conflict(tmp_path, "tgr", 0.25), write_conflict(tmp_path, "tgr.heads-shared", 0.125)]
    files = outputs(tmp_path)
    write_ablation_table(evaluations, models, VARIANTS, "Label order", "meta_val", *files)
    csv, markdown = pd.read_csv(files[0]), files[1].read_text()
    assert csv.groupby("method")["heads"].first().to_dict() == {"tgr": "aligned", "tgr.heads-shared": "shared"}
    assert csv.groupby("method")["gradient_cosine"].first().to_dict() == pytest.approx(
        {"tgr": 0.25, "tgr.heads-shared": 0.125}
    )
    assert set(csv["reference"]) == {"tgr"}
    shared = csv[(csv["method"] == "tgr.heads-shared") & (csv["protocol"] == "ncm")]
    assert shared["difference"].item() == pytest.approx(-0.2, abs=0.03)
    assert "| TGR: heads shared | 0.125 |" in " ".join(markdown.replace("|", " | ").split())
    assert "paired difference to TGR: heads aligned" in markdown
    assert "gradient conflict" in files[2].read_text()


def test_ablation_table_without_the_method_as_configured_refers_to_its_first_variant(tmp_path: Path) -> None:
    names = ["tgr.heads-shared", "tgr.heads-per_teacher"]
    evaluations = [write_evaluation(tmp_path, name, 0.5) for name in names]
    models = [write_conflict(tmp_path, name, 0.25) for name in names]
    variants = {name: {"method": "TGR", "changes": {"heads": name.split("-")[1]}} for name in names}
    write_ablation_table(evaluations, models, variants, "Heads", "last", *outputs(tmp_path))
    assert set(pd.read_csv(outputs(tmp_path)[0])["reference"]) == {"tgr.heads-shared"}


def test_pools_table(tmp_path: Path) -> None:
    shards = [write_shard(tmp_path, pool, make_dataset("toys")) for pool in ("toys-a", "toys-b")]
    transfer = tmp_path / "transfer.json"
    students = [{"name": "teacher-0000", "student_accuracy": 0.5}, {"name": "teacher-0001", "student_accuracy": 0.75}]
    write_json(transfer, {"pool": "toys-a", "n_classes": 3, "teachers": students})
    model = write_model(tmp_path / "model")
    sampled = {"toys-a/teacher-0000": 7, "toys-a/teacher-0001": 9, "toys-b/teacher-0000": 0, "toys-b/teacher-0001": 4}
    write_json(model / "model.json", read_json(model / "model.json") | {"sampled": sampled})
    files = outputs(tmp_path)
    teachers, recovered = ([shard[i] for shard in shards] for i in (0, 1))
    write_pools_table(teachers, recovered, [transfer], [model], "toys", *files)
    csv = pd.read_csv(files[0]).set_index("pool")
    assert csv["student_accuracy"]["toys-a"] == pytest.approx(0.625)
    assert pd.isna(csv["student_accuracy"]["toys-b"])
    assert csv["steps"].to_dict() == {"toys-a": "7 to 9", "toys-b": "0 to 4"}
    assert csv["agreement"]["toys-a"] == pytest.approx(0.905)
    assert "62.5 %" in files[1].read_text()


def test_cost_table_adds_the_jobs_of_a_stage(tmp_path: Path) -> None:
    teachers, recovered = write_shard(tmp_path, "toys-a", make_dataset("toys"))
    models = [write_model(tmp_path / "models" / "toys" / "tgr" / shot / "seed-0") for shot in ("shot-1", "shot-5")]
    for model in models:
        write_json(model / "model.json", read_json(model / "model.json") | {"method": "tgr"})
    for seconds, folder in enumerate([teachers, *models], start=1):
        write_json(folder / "provenance.json", {"wall_seconds": float(seconds), "peak_memory_mb": 100 * seconds})
    files = outputs(tmp_path)
    stages = {"teachers": ([teachers], 2, "teacher")}
    write_cost_table(stages, models, {"tgr": "TGR"}, "toys", *files)
    csv = pd.read_csv(files[0]).set_index("stage")
    assert csv["seconds"].to_dict() == {"teachers": 1.0, "training of TGR": 5.0}
    assert csv["each"].to_dict() == {"teachers": 0.5, "training of TGR": 2.5}
    assert csv["memory_mb"]["training of TGR"] == 300
    assert count_images([recovered]) == 2 * 3 * 6
    write_json(teachers / "provenance.json", {})
    with pytest.raises(TgrError, match="lacks the job's cost"):
        write_cost_table(stages, models, {"tgr": "TGR"}, "toys", *files)


def test_overview_puts_scenarios_side_by_side(tmp_path: Path) -> None:
    evaluations = [write_evaluation(tmp_path, name, mean) for name, mean in {"bank": 0.5, "tgr": 0.6}.items()]
    other = tmp_path / "evaluation" / "tools" / "tgr" / "shot-1" / "seed-0"
    shutil.copytree(evaluations[1], other)
    frame = pd.read_parquet(other / "episodes.parquet").assign(scenario="tools")
    frame.to_parquet(other / "episodes.parquet", index=False)
    files = outputs(tmp_path)
    methods = {"toys": {"bank": "Bank", "tgr": "TGR"}, "tools": {"tgr": "TGR"}}
    write_overview_table([*evaluations, other], methods, "meta_val", *files)
    csv = pd.read_csv(files[0])
    assert set(zip(csv["scenario"], csv["method"], strict=True)) == {
        ("toys", "bank"),
        ("toys", "tgr"),
        ("tools", "tgr"),
    }
    rows = [line for line in files[1].read_text().splitlines() if line.startswith("| Bank")]
    assert len(rows) == 3 and all(row.rstrip("| ").endswith("\u2013") for row in rows)


def test_documents_show_the_committed_tables() -> None:
    texts = {document: document.read_text(encoding="utf-8") for document in reference.documents()}
    assert any(reference.TABLE.search(text) for text in texts.values())
    stale = [document for document, text in texts.items() if reference.filled(text) != text]
    assert not stale, "run `python -m tgr.reporting.publish.reference`"


def test_summary_of_several_datasets_shows_all_episodes_pooled() -> None:
    columns = ["method", "role", "dataset", "shot", "protocol", "mean", "ci95"]
    rows = [("bank", "method", name, 1, "ncm", mean, 0.01) for name, mean in (("all", 0.4), ("a", 0.3), ("b", 0.5))]
    lines = reference.summary(pd.DataFrame(rows, columns=columns)).splitlines()
    assert lines == ["| method | 1-shot ncm |", "|---|--:|", "| `bank` | 40.0 \u00b1 1.0 |"]


def test_documents_show_every_committed_figure() -> None:
    figures = (reference.ROOT / reference.REFERENCE).glob("*/figures/**/*.png")
    names = [file.relative_to(reference.ROOT / reference.REFERENCE).parts for file in figures]
    assert names and not [name for name in names if not reference.shown(name[0], "/".join(name[2:]))]


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """Take a snapshot of a run that made some of the committed main tables; return the manifest."""
    root = tmp_path / "project"
    shutil.copytree(reference.ROOT / "config", root / "config")
    (root / "docs").mkdir()
    (root / "README.md").write_text("![A](results/reference/snapshot/figures/icons/accuracy.png)")
    committed = reference.ROOT / "results/reference/full_cpu"
    monkeypatch.setattr(reference, "account", partial(_account_without_git, reference.account))
    monkeypatch.setattr(reference, "ROOT", root)

    def take(run: str, *scenarios: str, keep: bool = False) -> dict:
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
            write_json(tables / "main.csv.provenance.json", {"versions": {"tgr": "1"}, "finished": run})
            figures = tmp_path / run / "results/figures" / scenario
            figures.mkdir(parents=True)
            for figure in ("accuracy", "cost"):
                (figures / f"{figure}.png").write_bytes(b"a picture")
        reference.take("snapshot", Path("config/full_cpu.yaml"), tmp_path / run, keep)
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
    shown = reference.filled("x\n<!-- table snapshot/icons/main -->\nold\n<!-- end of table -->\ny\n")
    assert shown == f"x\n<!-- table snapshot/icons/main -->\n\n{rows}\n<!-- end of table -->\ny\n"
    file.write_text(file.read_text() * 2)
    with pytest.raises(TgrError, match="several tables"):
        reference.filled("<!-- table snapshot/icons/main -->\n<!-- end of table -->")
    with pytest.raises(TgrError, match="but a document shows it"):
        reference.filled("<!-- table snapshot/nothing -->\n<!-- end of table -->")


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
