"""The drawing of the pipeline, from a small workflow."""

from pathlib import Path

import pytest
from figure_checks import legible_figures  # noqa: F401

from tgr.errors import TgrError
from tgr.reporting.pipeline import read_graph, shown_in, write_pipeline

RULES = {
    "datasets": {"load_dataset": "DATASET"},
    "pool": {"pretrain": "TEACHERS", "import_models": "TEACHERS"},
    "evaluation": {"evaluate": "EVALUATION"},
    "report": {"tabulate": "a.csv", "measure_theory": "b.csv", "plot_theory": "b.png"},
}
GRAPH = ["all", "load_dataset", "pretrain", "evaluate", "tabulate", "measure_theory", "plot_theory"]
LINKS = [(1, 2), (1, 3), (2, 3), (3, 4), (5, 6), (4, 0), (6, 0)]


def write_rules(folder: Path) -> Path:
    folder.mkdir()
    for stage, rules in RULES.items():
        texts = [f'rule {name}:\n    """X."""\n    output:\n        {made},\n' for name, made in rules.items()]
        (folder / f"{stage}.smk").write_text("\n\n".join(texts))
    return folder


def dot() -> str:
    nodes = [f'\t{i}[label = "{name}", color = "0.0 0.6 0.85"];' for i, name in enumerate(GRAPH)]
    return "\n".join(["digraph snakemake_dag {", *nodes, *(f"\t{a} -> {b}" for a, b in LINKS), "}"])


def test_graph_is_reduced_and_complete(tmp_path: Path) -> None:
    graph = read_graph(dot(), write_rules(tmp_path / "rules"))
    assert graph.stages["pool"] == ["pretrain", "import_models"]
    assert (graph.stages["tables"], graph.stages["analysis"]) == (["tabulate"], ["measure_theory"])
    assert set(graph.edges) == {
        ("load_dataset", "pretrain"),
        ("pretrain", "evaluate"),
        ("import_models", "evaluate"),  # absent from the graph, it stands where its twin does
        ("evaluate", "tables"),
        ("analysis", "figures"),
    }
    assert list(graph.unused) == ["import_models"]


def test_drawing_says_what_it_shows(tmp_path: Path) -> None:
    graph = read_graph(dot(), write_rules(tmp_path / "rules"))
    write_pipeline(graph, tmp_path / "p.svg", tmp_path / "p.png")
    assert shown_in(tmp_path / "p.svg") == graph.describe()
    assert (tmp_path / "p.png").stat().st_size > 5000


def test_rule_that_is_nowhere_is_drawn_alone(tmp_path: Path) -> None:
    folder = write_rules(tmp_path / "rules")
    (folder / "publish.smk").write_text('rule lost:\n    """X."""\n    output:\n        elsewhere,\n')
    graph = read_graph(dot(), folder)
    assert list(graph.unused) == ["import_models", "lost"]
    assert "lost" in graph.stages["tables"] and all("lost" not in edge for edge in graph.edges)


def test_what_is_no_graph_is_an_error(tmp_path: Path) -> None:
    folder = write_rules(tmp_path / "rules")
    with pytest.raises(TgrError, match="no rules in the graph"):
        read_graph("", folder)
    (tmp_path / "q.svg").write_text("<svg/>")
    with pytest.raises(TgrError, match="make pipeline"):
        shown_in(tmp_path / "q.svg")
