"""Gather the trials of a finished run: ``python -m tgr.tuning config/tuning/icons.yaml``, in its folder, writes all
trials as CSV and prints the chosen values.

The trials themselves are ordinary jobs of the workflow: they run side by side, continue when they were killed, and
carry their provenance.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tgr.artifacts import atomic
from tgr.config.load import load
from tgr.errors import TgrError
from tgr.tuning.trials import gather

TRIALS = "results/tables/{scenario}/trials.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the trials and print the chosen values, or an error; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tgr.tuning")
    parser.add_argument(
        "config", help="a configuration that measures on meta-val classes, such as config/tuning/icons.yaml"
    )
    parser.add_argument("--run", type=Path, default=Path(), help="the folder of its run (default: this one)")
    options = parser.parse_args(arguments)
    try:
        for scenario, trials in gather(load(options.config), options.run).items():
            file = options.run / TRIALS.format(scenario=scenario)
            with atomic(file) as partial:
                trials.to_csv(partial, index=False, lineterminator="\n")
            print("\n".join(chosen_lines(trials, file)))
    except TgrError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def chosen_lines(trials: pd.DataFrame, file: Path) -> list[str]:
    """Return the chosen values as a configuration has them, with the trials of which they are the best."""
    lines = [f"# {len(trials)} trials in {file}; criterion: mean accuracy on meta-val episodes.", "methods:"]
    for row in trials[trials["chosen"]].to_dict("records"):
        of_method = trials[trials["method"] == row["method"]]
        lines.append(
            f"  {row['method']}: {{{row['parameters']}}}  # {100 * row['criterion']:.1f} %, best of {len(of_method)} "
            f"({100 * of_method['criterion'].min():.1f} to {100 * of_method['criterion'].max():.1f})"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
