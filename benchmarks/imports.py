"""Processor seconds from the start of Python until a job of each kind has imported what its script imports.

Each kind is started in a process of its own; the minimum of some rounds counts, as other work only adds. A first round
that is not counted fills the disk's cache. Run it as ``python -m benchmarks.imports``, or with the names of scripts and
modules: ``python -m benchmarks.imports evaluate tgr.reporting.tables.main``. ``--first-optimiser`` adds what PyTorch
imports for the first optimiser of a process.
"""

import argparse
import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow/scripts"
DRAWN = ("tables", "figures")
HELPERS = {"markup", "style", "panels", "ablation_panels", "accuracies"}
"""Modules of `tgr.reporting` that are no table and no figure."""
PREAMBLE = "import pickle, snakemake.logging, snakemake.iocontainers\n"
"""What Snakemake puts before each script."""
OPTIMISER = "import torch\ntorch.optim.Adam([torch.zeros(1, requires_grad=True)])\n"


def main() -> None:
    """Print the seconds of each kind of job."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="scripts of the workflow, or modules of tgr.reporting; default: all")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--first-optimiser", action="store_true")
    arguments = options.parse_args()
    names = arguments.names or [*sorted(file.stem for file in SCRIPTS.glob("*.py")), *modules_that_draw()]
    print(f"load averages {', '.join(f'{value:.1f}' for value in os.getloadavg())}")
    for name in names:
        print(f"{name:44} {measure(imports(name), arguments.rounds):5.2f} s", flush=True)
    if arguments.first_optimiser:
        print(f"{'torch, and its first optimiser':44} {measure(OPTIMISER, arguments.rounds):5.2f} s")


def modules_that_draw() -> list[str]:
    """Return the tables and figures, each of which is a kind of job."""
    files = [file for kind in DRAWN for file in sorted((ROOT / "tgr/reporting" / kind).glob("[!_]*.py"))]
    return [f"tgr.reporting.{file.parent.name}.{file.stem}" for file in files if file.stem not in HELPERS]


def imports(name: str) -> str:
    """Return the imports of a script of the workflow, or those of the job of a table or figure."""
    module = name if name.startswith("tgr.") else ""
    body = ast.parse((SCRIPTS / f"{'report' if module else name}.py").read_text(encoding="utf-8")).body
    lines = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    return PREAMBLE + "\n".join([*lines, f"import {module}" if module else ""])


def measure(code: str, rounds: int) -> float:
    """Return the least user and system seconds of a process that runs some code."""
    seconds = []
    for _ in range(rounds + 1):
        before = children_seconds()
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        seconds.append(children_seconds() - before)
    return min(seconds[1:])


def children_seconds() -> float:
    """Return the processor time of all child processes that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


if __name__ == "__main__":
    main()
