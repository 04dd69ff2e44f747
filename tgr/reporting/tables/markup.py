"""Tables as CSV, Markdown and LaTeX (booktabs), with as many digits as the intervals allow.

pandas' Styler does not serve here: one table has several blocks with titles of their own, a row of results takes two
lines, and notes and shrinking to the page stand around the whole.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import pandas as pd

MISSING, MINUS = "\u2013", "\u2212"


@dataclass(frozen=True)
class Cell:
    """One result. Accuracies are shares of 1, and are written in percent."""

    mean: float
    ci95: float
    seed_std: float | None = None
    difference: float | None = None
    difference_ci95: float | None = None
    significant: bool = False
    bold: bool = False
    below_floor: bool = False
    last_below_random: bool = False


@dataclass(frozen=True)
class Block:
    """The rows of one dataset.

    Attributes:
        title: what sets the block apart.
        groups: names of groups of columns (empty: none is shown), each with its columns' names.
        rows: label and cells: results, plain text, or None where there is nothing.
    """

    title: str
    groups: Sequence[tuple[str, Sequence[str]]]
    rows: Sequence[tuple[str, Sequence[Cell | str | None]]]


@dataclass(frozen=True)
class Table:
    """Blocks with a caption above and notes below, and the numbers behind them; notebooks show it typeset.

    Attributes:
        frame: what the CSV file holds, at full precision.
    """

    frame: pd.DataFrame
    caption: str
    row_header: str
    blocks: Sequence[Block]
    notes: Sequence[str]

    def to_csv(self) -> str:
        """Return the frame as CSV."""
        return self.frame.to_csv(index=False, lineterminator="\n")

    def to_markdown(self) -> str:
        """Return a document: caption, a pipe table for each block, notes."""
        return _markdown(self)

    def to_latex(self) -> str:
        """Return a ``table*`` environment as wide as the text at most; it needs the packages booktabs and graphicx.

        Differences stand in a line of their own, notes below the table.
        """
        return _latex(self)

    _repr_markdown_ = to_markdown


FITTED = (
    "\\ifdim\\wd0>\\textwidth\\sbox0{\\resizebox{\\textwidth}{!}{\\usebox0}}\\fi",
    "\\ifdim\\dimexpr\\ht0+\\dp0\\relax>0.8\\textheight\\sbox0{\\resizebox*{!}{0.8\\textheight}{\\usebox0}}\\fi",
    "\\usebox0",
)
"""TeX that prints the box which holds the table, shrunk if it is wider or higher than a page."""


def decimals(block: Block) -> int:
    """Return the decimals of all percentages of a block: those that give its median interval two significant digits.

    One number for all of them keeps the columns aligned and comparable.
    """
    widths = [100 * cell.ci95 for _, cells in block.rows for cell in cells if isinstance(cell, Cell) and cell.ci95 > 0]
    if not widths:
        return 1
    return min(max(1 - math.floor(math.log10(median(widths))), 0), 3)


def _markdown(table: Table) -> str:
    parts = [f"**{table.caption}**"]
    for block in table.blocks:
        columns = [f"{group}: {name}" if group else name for group, names in block.groups for name in names]
        header = [table.row_header, *columns]
        digits = decimals(block)
        rows = [[label, *(_markdown_cell(cell, digits) for cell in cells)] for label, cells in block.rows]
        parts.append(f"### {block.title[0].upper()}{block.title[1:]}")
        parts.append(_pipe_table([[_escape_markdown(text) for text in header], *rows]))
    parts.append("\n".join(f"- {_escape_markdown(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def _pipe_table(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        f"| {' | '.join([row[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(row[1:], widths[1:], strict=True))])} |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _escape_markdown(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")


def _marks(cell: Cell) -> list[str]:
    """Return the letters beside a result, which notes explain."""
    return ["v"] * cell.below_floor + ["u"] * cell.last_below_random


def _markdown_cell(cell: Cell | str | None, digits: int) -> str:
    if cell is None:
        return MISSING
    if isinstance(cell, str):
        return _escape_markdown(cell)
    mean = f"{_percent(cell.mean, digits)} ± {_percent(cell.ci95, digits)}"
    text = f"**{mean}**" if cell.bold else mean
    text += "".join(f" {mark}" for mark in _marks(cell))
    if cell.seed_std is not None:
        text += f", s {_percent(cell.seed_std, digits)}"
    if cell.difference is not None and cell.difference_ci95 is not None:
        star = "\\*" if cell.significant else ""
        text += f" ({_signed(cell.difference, digits, MINUS)} ± {_percent(cell.difference_ci95, digits)}{star})"
    return text


def _latex(table: Table) -> str:
    columns = max(sum(len(names) for _, names in block.groups) for block in table.blocks)
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table*}",
        "\\centering",
        "\\footnotesize",
        "\\setlength{\\tabcolsep}{4pt}",
        f"\\caption{{{escape_latex(table.caption)}.}}",
        "\\smallskip",
        "\\sbox0{%",
        f"\\begin{{tabular}}{{l{'r' * columns}}}",
        "\\toprule",
    ]
    for index, block in enumerate(table.blocks):
        lines += ["\\midrule"] if index else []
        lines += _latex_block(block, table.row_header, titled=len(table.blocks) > 1)
    lines += [
        "\\bottomrule",
        "\\end{tabular}}%",
        *FITTED,
        f"\\par\\smallskip{{\\scriptsize\\raggedright {escape_latex(' '.join(table.notes))}\\par}}",
    ]
    return "\n".join([*lines, "\\end{table*}"]) + "\n"


def _latex_block(block: Block, row_header: str, *, titled: bool) -> list[str]:
    spans, rules, start = [], [], 2
    for group, names in block.groups:
        spans.append(f"\\multicolumn{{{len(names)}}}{{c}}{{{escape_latex(group)}}}")
        if group:
            rules.append(f"\\cmidrule(lr){{{start}-{start + len(names) - 1}}}")
        start += len(names)
    lines = [f"\\multicolumn{{{start - 1}}}{{l}}{{\\emph{{{escape_latex(block.title)}}}}} \\\\"] if titled else []
    names = [name for _, group in block.groups for name in group]
    if rules:
        lines += [f" & {' & '.join(spans)} \\\\", "".join(rules)]
    lines.append(" & ".join([escape_latex(row_header), *map(escape_latex, names)]) + " \\\\")
    lines.append("\\midrule")
    for label, cells in block.rows:
        lines += _latex_row(escape_latex(label), cells, decimals(block))
    return lines


def _latex_row(label: str, cells: Sequence[Cell | str | None], digits: int) -> list[str]:
    lines = [_row(label, cells, partial(_latex_mean, digits=digits))]
    if any(isinstance(cell, Cell) and cell.difference is not None for cell in cells):
        lines.append(_row("", cells, partial(_latex_difference, digits=digits)))
    return lines


def _row(label: str, cells: Sequence[Cell | str | None], write: Callable[[Cell], str]) -> str:
    """Return a line of a row; only its first one, which has the label, shows what is no result."""
    plain = [escape_latex(cell) if isinstance(cell, str) else "--" for cell in cells]
    written = [write(c) if isinstance(c, Cell) else p if label else "" for c, p in zip(cells, plain, strict=True)]
    return " & ".join([label, *written]) + " \\\\"


def _latex_mean(cell: Cell, digits: int) -> str:
    mean = f"\\mathbf{{{_percent(cell.mean, digits)}}}" if cell.bold else _percent(cell.mean, digits)
    seeds = "" if cell.seed_std is None else f"\\ [s\\,{_percent(cell.seed_std, digits)}]"
    below = "".join(f"\\ {mark}" for mark in _marks(cell))
    return f"${mean} \\pm {_percent(cell.ci95, digits)}${below}{seeds}"


def _latex_difference(cell: Cell, digits: int) -> str:
    if cell.difference is None or cell.difference_ci95 is None:
        return ""
    star = "^{*}" if cell.significant else ""
    difference, width = _signed(cell.difference, digits, "-"), _percent(cell.difference_ci95, digits)
    return f"{{\\scriptsize $({difference} \\pm {width}{star})$}}"


def escape_latex(text: str) -> str:
    """Return text whose special characters LaTeX prints as they are."""
    special = {
        "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{",
        "}": "\\}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "$<$", ">": "$>$", "±": "$\\pm$",
    }  # fmt: skip
    return "".join(special.get(character, character) for character in text).replace("$>$=", "$\\geq$")


def _percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f}"


def _signed(share: float, digits: int, minus: str) -> str:
    text = _percent(abs(share), digits)
    if float(text) == 0:
        return text
    return f"{minus if share < 0 else '+'}{text}"
