"""Drawing: the rules of the workflow and how they follow from each other, made from their definitions.

``snakemake --configfile <file.yaml> --rulegraph | python -m tgr.reporting.pipeline <rules> <file.svg> <file.png>``;
<rules> is the folder of rules.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Outline

from tgr.artifacts import atomic
from tgr.errors import TgrError
from tgr.reporting.figures.style import BLACK, BLUE, GREEN, GREY, OLIVE, ORANGE, PURPLE, SKY, VERMILION, style

LANES = ("datasets", "pool", "inversion", "task_space", "meta", "evaluation")
"""Stages with a column each, left to right; each has a file of rules."""
ENDS = ("tables", "analysis", "figures")
"""What the other rules make: tables and what is published, numbers that figures show, figures."""
TITLES = {"task_space": "task space", "tables": "tables, pages"}
COLOURS = dict(zip((*LANES, *ENDS), (SKY, BLUE, GREEN, PURPLE, VERMILION, ORANGE, GREY, OLIVE, BLACK), strict=True))
GOAL, PUBLISHING = "all", "publish"
WIDTH = 6.75
CHIP, GAP, HEAD = 0.185, 0.07, 0.24
"""Heights in inches: of a rule's box, between two of them, and of a stage's name."""
COLUMN, GUTTER = 0.94, 0.17
LANE_ROOM = 0.42
"""Room for arrows between stages and ends."""


@dataclass(frozen=True)
class Graph:
    """Rules by stage, and which follows directly from which; what follows through others is left out.

    ``unused`` rules are those that the drawn configurations do without.
    """

    stages: Mapping[str, Sequence[str]]
    edges: Sequence[tuple[str, str]]
    unused: Sequence[str]

    def describe(self) -> str:
        """Return all that the drawing shows, as text."""
        return json.dumps({"stages": dict(self.stages), "edges": sorted(self.edges), "unused": sorted(self.unused)})


def read_graph(rulegraph: str, rules_folder: Path) -> Graph:
    """Read the rules and their order.

    A rule that the graph lacks, because its configuration has no use for it, is followed by what follows the rule with
    the same output.

    Args:
        rulegraph: what ``snakemake --rulegraph`` prints, of one configuration or of several.
        rules_folder: the files of rules, one a stage.

    Raises:
        TgrError: the graph holds no rules.
    """
    drawn: set[str] = set()
    links: set[tuple[str, str]] = set()
    for graph in rulegraph.split("digraph"):
        names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', graph, re.MULTILINE))
        links |= {(names[a], names[b]) for a, b in re.findall(r"^\s*(\d+) -> (\d+)$", graph, re.MULTILINE)}
        drawn |= set(names.values())
    if not drawn:
        raise TgrError("no rules in the graph; give the output of `snakemake --rulegraph`")
    texts, files = {}, {}
    for file in sorted(Path(rules_folder).glob("*.smk")):
        for match in re.finditer(r"^rule (\w+):\n(?:(?:    .*)?\n)*", file.read_text(encoding="utf-8"), re.MULTILINE):
            texts[match[1]], files[match[1]] = match[0], file.stem
    for name in texts.keys() - drawn:
        twin = next((other for other in drawn if _output(texts.get(other, "")) == _output(texts[name])), None)
        links |= {(name, b) for a, b in links if a == twin}
    links = {(a, b) for a, b in links if b != GOAL}
    stages: dict[str, list[str]] = {stage: [] for stage in (*LANES, *ENDS)}
    for name in texts:
        stage = files[name]
        if stage not in LANES:
            published = name.startswith("tabulate") or stage == PUBLISHING
            stage = "tables" if published else "figures" if name.startswith("plot") else "analysis"
        stages[stage].append(name)
    return Graph(stages, _reduced(_merged(links, stages)), sorted(texts.keys() - drawn))


def _output(text: str) -> str:
    return text.split("output:\n")[-1].split("    log:\n")[0].strip()


def _merged(links: set[tuple[str, str]], stages: Mapping[str, Sequence[str]]) -> set[tuple[str, str]]:
    """Let each of the ends stand for its rules."""
    ends = {name: end for end in ENDS for name in stages[end]}
    merged = {(ends.get(a, a), ends.get(b, b)) for a, b in links}
    return {(a, b) for a, b in merged if a != b}


def _reduced(links: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what follows through others."""
    after: dict[str, set[str]] = {}
    for a, b in links:
        after.setdefault(a, set()).add(b)

    def reach(name: str) -> set[str]:
        found, waiting = set(), list(after.get(name, ()))
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += after.get(one, ())
        return found

    return sorted((a, b) for a, b in links if not any(b in reach(other) for other in after[a] - {b}))


def draw(graph: Graph) -> Figure:
    """Draw stages as columns, their rules as boxes in them, tables and figures below."""
    canvas = _Canvas(graph)
    for index, stage in enumerate(LANES):
        canvas.stage(stage, GUTTER / 2 + index * (COLUMN + GUTTER), canvas.top, COLUMN, 1)
    room = (WIDTH - 3.5 * GUTTER) / len(ENDS)
    for index, end in enumerate(ENDS):
        canvas.stage(end, GUTTER / 2 + index * (room + GUTTER), canvas.top - canvas.lane_height - LANE_ROOM, room, 2)
    canvas.arrows()
    return canvas.figure


class _Canvas:
    """A figure in inches, with the place of each rule and of each end."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lane_height = _height(max(len(graph.stages[stage]) for stage in LANES), 1)
        self.end_height = _height(max(len(graph.stages[end]) for end in ENDS), 2)
        height = self.lane_height + LANE_ROOM + self.end_height + 0.12
        self.top = height - 0.06
        self.figure = Figure((WIDTH, height))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, WIDTH), ylim=(0, height))
        self.axes.set_axis_off()
        self.boxes: dict[str, tuple[float, float, float, float]] = {}
        """Left, bottom, width and height."""
        self.column = {name: i for i, stage in enumerate(LANES) for name in graph.stages[stage]}

    def stage(self, name: str, left: float, top: float, room: float, columns: int) -> None:
        colour, rules = COLOURS[name], self._ordered(name)
        height = self.lane_height if name in LANES else self.end_height
        self._box(left, top - height, room, height, colour, 0.13)
        self.boxes[name] = (left, top - height, room, height)
        title = TITLES.get(name, name)
        self.axes.text(
            left + room / 2, top - 0.6 * HEAD, title, ha="center", va="center", fontweight="bold", fontsize=7
        )
        width = (room - GAP * (columns + 1)) / columns
        rows = -(-len(rules) // columns)
        for index, rule in enumerate(rules):
            x = left + GAP + (index // rows) * (width + GAP)
            y = top - HEAD - (index % rows) * (CHIP + GAP) - CHIP
            self._box(x, y, width, CHIP, colour, 0.0, "--" if rule in self.graph.unused else "-")
            self.axes.text(x + width / 2, y + CHIP / 2, rule, ha="center", va="center_baseline", fontsize=5.5)
            self.boxes[rule] = (x, y, width, CHIP)

    def _ordered(self, stage: str) -> list[str]:
        """Return a stage's rules, those that others of it follow from first."""
        rules = list(self.graph.stages[stage])
        inside = [(a, b) for a, b in self.graph.edges if a in rules and b in rules]
        for _ in rules:
            for a, b in inside:
                if rules.index(a) > rules.index(b):
                    rules.remove(a)
                    rules.insert(rules.index(b), a)
        return rules

    def _box(
        self, left: float, bottom: float, width: float, height: float, colour: str, alpha: float, line: Any = "-"
    ) -> None:
        face = (*_rgb(colour), alpha) if alpha else "white"
        patch = FancyBboxPatch((left, bottom), width, height, "round,pad=0,rounding_size=0.05", facecolor=face)
        patch.set_edgecolor(colour if not alpha else "none")
        patch.set_linewidth(0.8)
        patch.set_linestyle(line)
        self.axes.add_patch(patch)

    def arrows(self) -> None:
        long = [(a, b) for a, b in self.graph.edges if not self._short(a, b)]
        for a, b in self.graph.edges:
            if (a, b) not in long:
                self._arrow([self._side(a, b), self._side(b, a)])
        for index, (a, b) in enumerate(sorted(long, key=lambda edge: self.boxes[edge[1]][0], reverse=True)):
            self._around(a, b, (index + 1) / (len(long) + 1))

    def _short(self, a: str, b: str) -> bool:
        if a in ENDS:
            return True
        return b in self.column and self.column[b] - self.column[a] <= 1

    def _side(self, name: str, other: str) -> tuple[float, float]:
        """Return where an arrow between neighbours touches a box."""
        left, bottom, width, height = self.boxes[name]
        if name in ENDS:
            return left + (width if self.boxes[other][0] > left else 0), bottom + height - 0.6 * HEAD
        if self.column.get(name, -1) == self.column.get(other, -2):
            return left + width / 2, bottom + (height if self.boxes[other][1] > bottom else 0)
        return left + (width if self.boxes[other][0] > left else 0), bottom + height / 2

    def _around(self, a: str, b: str, share: float) -> None:
        """Lead an arrow through the gutter beside its start and the lane between stages and ends."""
        left, bottom, width, height = self.boxes[a]
        start = left + width, bottom + height / 2
        gutter = start[0] + GAP + GUTTER * (0.2 + 0.6 * share)
        lane = self.top - self.lane_height - LANE_ROOM * (0.12 + 0.62 * share)
        x, y, across, up = self.boxes[b]
        end = (x + across * (0.3 + 0.4 * share), y + up) if b in ENDS else (x + across / 2, y)
        self._arrow([start, (gutter, start[1]), (gutter, lane), (end[0], lane), end])

    def _arrow(self, points: Sequence[tuple[float, float]]) -> None:
        looks = {"arrowstyle": "-|>", "mutation_scale": 5, "color": "#555555", "linewidth": 0.7}
        if len(points) == 2:
            patch = FancyArrowPatch(*points, shrinkA=0, shrinkB=0, **looks)  # type: ignore[arg-type]
        else:
            patch = FancyArrowPatch(path=Outline(points), shrinkA=0, shrinkB=0, joinstyle="round", **looks)  # type: ignore[arg-type]
        self.axes.add_patch(patch)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _height(n_rules: int, columns: int) -> float:
    return HEAD + -(-n_rules // columns) * (CHIP + GAP) + 0.02


def write_pipeline(graph: Graph, svg: Path, png: Path) -> None:
    """Write the drawing as SVG, which carries the graph's description, and as PNG."""
    with style():
        figure = draw(graph)
        with atomic(svg) as file:
            figure.savefig(
                file, format="svg", metadata={"Date": None, "Creator": None, "Description": graph.describe()}
            )
        with atomic(png) as file:
            figure.savefig(file, format="png", metadata={"Software": None})


def shown_in(svg: Path) -> str:
    """Return the description of the graph that a drawing shows.

    Raises:
        TgrError: the file is no such drawing.
    """
    found = re.search(r"<dc:description>(.*?)</dc:description>", Path(svg).read_text(encoding="utf-8"), re.DOTALL)
    if not found:
        raise TgrError(f"{svg}: does not say which rules it shows; draw it with `make pipeline`")
    return found[1].replace("&quot;", '"').replace("&gt;", ">").replace("&amp;", "&")


if __name__ == "__main__":
    rules_folder, svg_file, png_file = map(Path, sys.argv[1:])
    write_pipeline(read_graph(sys.stdin.read(), rules_folder), svg_file, png_file)
