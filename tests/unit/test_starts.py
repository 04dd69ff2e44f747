"""What a job imports before it does anything: a workflow of small jobs spends most of its time on that."""

import ast
import json
import subprocess
import sys

import pytest

from tgr.run.source_graph import PACKAGE

ROOT = PACKAGE.parent
SCRIPTS = {file.stem: file for file in sorted((ROOT / "workflow/scripts").glob("*.py"))}
EMBEDDING = {"embed", "compare"}
"""They ask a network of timm."""
CLUSTERING = {"group", "map_task_space"}
"""They cluster and scale with scikit-learn, which needs SciPy's statistics."""
COMPUTING = {"load_dataset", "draw_episodes", "pretrain", "import_models", "invert", "measure_transfer", "judge"}
COMPUTING |= {"train", "evaluate", "measure_pairs", "measure_theory", "pick_examples"}
"""They compute with PyTorch."""
DRAWN = [f"tgr.reporting.{file.parent.name}.{file.stem}" for file in sorted(PACKAGE.glob("reporting/[ft]*/[!_]*.py"))]
OF_TENSORS = {"torch", "torchvision", "timm", "sklearn"}
IMPORT = """
import json, sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules} | {*sys.modules} & {"scipy.stats"})))
"""


def modules(scripts: set[str]) -> list[str]:
    """Return the modules of this package that some scripts import."""
    bodies = [ast.parse(SCRIPTS[name].read_text()).body for name in sorted(scripts)]
    found = {f"{node.module}" for body in bodies for node in body if isinstance(node, ast.ImportFrom)}
    return sorted(name for name in found if name.startswith("tgr."))


@pytest.mark.parametrize(
    ("started", "absent"),
    [
        (modules({*SCRIPTS} - EMBEDDING - CLUSTERING - COMPUTING), {*OF_TENSORS, "seaborn", "scipy.stats"}),
        (modules(CLUSTERING), {"torch", "torchvision", "timm", "seaborn", "matplotlib"}),
        (DRAWN, OF_TENSORS),
        (modules(COMPUTING), {"timm", "torchvision", "seaborn", "matplotlib"}),
    ],
    ids=["measure", "cluster", "draw", "compute"],
)
def test_jobs_import_no_library_that_others_need(started: list[str], absent: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *started], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert not absent & set(json.loads(done.stdout))


def test_scripts_that_are_named_are_there() -> None:
    assert {*SCRIPTS} > EMBEDDING | CLUSTERING | COMPUTING
