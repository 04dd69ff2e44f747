"""The one writer of tables and figures."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from tgr.errors import TgrError
from tgr.reporting.save import save
from tgr.reporting.tables.markup import Block, Cell, Table

TABLE = Table(
    pd.DataFrame({"mean": [0.1 + 0.2]}), "c", "Method", [Block("x", [("", ["a"])], [("one", [Cell(0.3, 0.01)])])], []
)


def drawn() -> Figure:
    figure = Figure((2, 1))
    figure.text(0.5, 0.5, "figure")
    return figure


def test_table_is_written_by_suffix(tmp_path: Path) -> None:
    files = [tmp_path / "new" / f"table.{suffix}" for suffix in ("csv", "md", "tex")]
    save(TABLE, *files)
    assert pd.read_csv(files[0])["mean"].item() == 0.1 + 0.2
    assert "30.0 ± 1.0" in files[1].read_text() and "\\begin{tabular}" in files[2].read_text()


def test_figure_has_its_size_and_no_date(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(drawn(), tmp_path / f"{name}.png", tmp_path / f"{name}.pdf")
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert b"CreationDate" not in (tmp_path / "a.pdf").read_bytes()


@pytest.mark.parametrize(
    ("thing", "name", "known"), [(TABLE, "t.png", ".csv, .md, .tex"), (drawn(), "f.md", ".png, .pdf")]
)
def test_other_suffixes_are_refused(tmp_path: Path, thing: Table | Figure, name: str, known: str) -> None:
    with pytest.raises(TgrError, match=rf"{name}: a \w+ is written as {known}"):
        save(thing, tmp_path / name)


def test_nothing_is_left_of_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="full"):
        save(drawn(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
