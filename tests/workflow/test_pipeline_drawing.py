"""The drawing of the pipeline in the documentation shows the rules as they are."""

from test_static import RULES
from workflow_project import REPOSITORY, Project

from tgr.reporting.pipeline import read_graph, shown_in


def test_drawing_is_up_to_date(pristine: Project) -> None:
    configs = ("config/full_cpu.yaml", "config/analysis.yaml")
    rulegraphs = [Project(pristine.root, config).run("--rulegraph") for config in configs]
    graph = read_graph("\n".join(rulegraphs), REPOSITORY / "workflow/rules")
    assert {name for rules in graph.stages.values() for name in rules} == set(RULES)
    assert shown_in(REPOSITORY / "docs/figures/pipeline.svg") == graph.describe(), "draw it with `make pipeline`"
