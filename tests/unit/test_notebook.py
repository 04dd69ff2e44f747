"""The notebook: it runs from the first cell to the last, and is committed without what it printed."""

from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import nbformat

NOTEBOOK = Path(__file__).parents[2] / "notebooks/from-teacher-to-groups.ipynb"


def test_notebook_runs_and_holds_no_outputs() -> None:
    content = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(content)
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    assert not [cell.id for cell in cells if cell.outputs or cell.execution_count is not None]
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    for cell in cells:
        exec(compile(cell.source, f"cell {cell.id}", "exec"), names)
    plt.close("all")
    assert sorted(set(names["groups"].labels)) == [0, 1]
    assert all(one.report.agreement > 0.5 for one in names["recovered"])
