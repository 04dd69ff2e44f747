"""The graph in `docs/pipeline.md` is true of the workflow."""

import itertools
import re

from workflow_project import REPOSITORY, Project

ARROW = re.compile(r" -->| -\.->")
RESULTS = "results"
"""The one box that stands for several files of rules."""


def graph_of_the_page() -> tuple[dict[str, set[str]], set[tuple[str, str]]]:
    """Return the names in each box, and the arrows."""
    page = (REPOSITORY / "docs/pipeline.md").read_text()
    boxes: dict[str, set[str]] = {}
    arrows = set()
    box = ""
    for line in page.split("```mermaid\nflowchart LR\n")[1].split("```")[0].splitlines():
        if name := re.match(r" +subgraph (\w+)", line):
            box = name[1]
        elif line.strip() == "end":
            box = ""
        elif not line.strip().startswith(RESULTS):
            names = [name.strip() for name in ARROW.split(line) if name.strip()]
            arrows |= set(itertools.pairwise(names))
            boxes.setdefault(box, set()).update(names)
    return boxes, arrows


def test_each_box_is_a_file_with_exactly_these_rules() -> None:
    boxes, _ = graph_of_the_page()
    between_boxes = boxes.pop("")
    assert between_boxes - {RESULTS, "publish"} <= set().union(*boxes.values())
    for stage, rules in boxes.items():
        text = (REPOSITORY / f"workflow/rules/{stage}.smk").read_text()
        assert set(re.findall(r"^rule (\w+):", text, re.MULTILINE)) == rules


def test_each_arrow_is_one_of_the_workflow(pristine: Project) -> None:
    """Of the tiny configuration, which has a use for every rule that needs no network."""
    output = pristine.run("--rulegraph")
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', output, re.MULTILINE))
    edges = {(names[a], names[b]) for a, b in re.findall(r"^\s*(\d+) -> (\d+)$", output, re.MULTILINE)}
    _, arrows = graph_of_the_page()
    assert {(a, b) for a, b in arrows if {a, b} <= set(names.values())} <= edges
