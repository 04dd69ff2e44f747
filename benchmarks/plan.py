"""The planner against a finished run: what it predicts for each rule, and what Snakemake recorded.

Run by hand, from the project's root: python -m benchmarks.plan config/config.yaml results/benchmarks
Compared is the time that the jobs computed (`cpu_time`); wall-clock time is longer on a busy machine. Where a run has
fewer records than the plan has jobs, its share of the plan is taken.
"""

import argparse
from pathlib import Path

from benchmarks.unit_costs import records
from tgr.config.load import load
from tgr.plan.planner import costs
from tgr.plan.units import load_units


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("config", type=Path)
    options.add_argument("records", type=Path, help="results/benchmarks of a run of this configuration")
    arguments = options.parse_args()
    print(f"{'rule':20} {'jobs':>6} {'ran':>6} {'planned s':>10} {'took s':>8} {'ratio':>6} {'MB':>11} {'took MB':>8}")
    for cost in costs(load(arguments.config), load_units()):
        found = records(arguments.records, cost.rule)
        seconds = sum(float(row["cpu_time"]) for row in found)
        memory = max((float(row["max_rss"]) for row in found), default=0.0)
        planned = cost.seconds * len(found) / cost.jobs
        ratio = f"{planned / seconds:6.2f}" if seconds else f"{'':6}"
        print(
            f"{cost.rule:20} {cost.jobs:6} {len(found):6} {planned:10.0f} {seconds:8.0f} {ratio} "
            f"{cost.memory_mb:11.0f} {memory:8.0f}"
        )


if __name__ == "__main__":
    main()
