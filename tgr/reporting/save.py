"""The one writer of tables and figures: by suffix, complete or not at all, and equal bytes for equal content."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tgr.artifacts import atomic
from tgr.errors import TgrError

if TYPE_CHECKING:  # otherwise an edited table would draw all figures anew
    from matplotlib.figure import Figure

    from tgr.reporting.tables.markup import Table

TEXTS = {".csv": "to_csv", ".md": "to_markdown", ".tex": "to_latex"}
"""The method that returns a table as text, by suffix."""
METADATA = {".png": ("Software",), ".pdf": ("CreationDate", "Creator", "Producer")}
"""What a figure's file does not say: dates and names of programs would differ from run to run."""
FIGURE_FILES: dict[Any, Any] = {"savefig.dpi": 200, "savefig.bbox": None, "pdf.fonttype": 42, "pdf.compression": 6}
"""Settings of matplotlib: 200 dots an inch, the figure at its own size, letters embedded as TrueType."""


def save(thing: "Table | Figure", *files: str | Path) -> None:
    """Write a table as ``.csv``, ``.md`` or ``.tex``, a figure as ``.png`` or ``.pdf``; folders are made.

    Raises:
        TgrError: a suffix in which such a thing cannot be written.
    """
    for file in map(Path, files):
        text = getattr(thing, TEXTS.get(file.suffix, ""), None)
        savefig = getattr(thing, "savefig", None) if file.suffix in METADATA else None
        if not text and not savefig:
            known = METADATA if hasattr(thing, "savefig") else TEXTS
            raise TgrError(
                f"{file}: a {type(thing).__name__.lower()} is written as {', '.join(known)}; name such a file"
            )
        with atomic(file) as partial:
            if text:
                partial.write_text(text(), encoding="utf-8")
            else:
                _write_figure(thing, partial)


def _write_figure(figure: Any, file: Path) -> None:
    from matplotlib import rc_context

    with rc_context(FIGURE_FILES):
        figure.savefig(file, format=file.suffix[1:], metadata=dict.fromkeys(METADATA[file.suffix]))
