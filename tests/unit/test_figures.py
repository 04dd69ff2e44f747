"""The figures that have a file of numbers of their own."""

from pathlib import Path

import pytest
from test_reporting import assert_figure

from tgr.analysis import theory
from tgr.reporting.theory import write_theory_figure


def test_theory_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "N_PROBLEMS", 2)
    monkeypatch.setattr(theory, "STEPS", 5)
    files = [tmp_path / name for name in ("errors.csv", "descents.csv", "t.png", "t.pdf")]
    theory.write_theory(*files[:2])
    write_theory_figure(*files)
    assert_figure(*files[2:])
