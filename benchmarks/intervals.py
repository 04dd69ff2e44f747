"""Coverage of the intervals: how many simulated experiments with known variances have the truth inside.

Run by hand, from the project's root: python -m benchmarks.intervals [--experiments 2000] [--episodes 100]

Each experiment draws an accuracy for every replicate, seed within it, and episode, from independent normal parts; its
standard deviations are those of the designs below, in points. Episodes differ by 8 points, a single accuracy by 5.
"""

import argparse
from itertools import product

import numpy as np
import pandas as pd

from tgr.evaluation.statistics import interval

EPISODE_SD, REST_SD = 8.0, 5.0
DESIGNS = [(3, 1), (3, 3), (5, 1), (5, 3), (10, 1)]
"""Replicates, and seeds in each."""
SPREADS = [(0.0, 0.0, 0.0), (0.5, 1.0, 2.0), (2.0, 1.0, 3.0)]
"""Of replicates, of seeds within one, and of how replicates differ in what they are good at (replicate x episode)."""


def coverage(
    design: tuple[int, int], spread: tuple[float, float, float], n_episodes: int, n: int
) -> tuple[float, float]:
    """Return the share of n experiments whose 95 % interval holds the true mean, and the mean half width in points."""
    (replicates, seeds), (replicate_sd, seed_sd, interaction_sd) = design, spread
    random = np.random.default_rng([replicates, seeds, n_episodes])
    columns = pd.MultiIndex.from_product([["toys"], range(n_episodes)], names=["dataset", "episode"])
    covered, widths = 0, []
    for _ in range(n):
        values = random.normal(0, REST_SD, (replicates, seeds, n_episodes)) + random.normal(0, EPISODE_SD, n_episodes)
        values += random.normal(0, replicate_sd, (replicates, 1, 1)) + random.normal(0, seed_sd, (replicates, seeds, 1))
        values += random.normal(0, interaction_sd, (replicates, 1, n_episodes))
        found = interval(pd.DataFrame(values.mean(1), columns=columns))
        covered += abs(found.mean) < found.half_width
        widths.append(found.half_width)
    return covered / n, float(np.mean(widths))


def main() -> None:
    """Print a line for each design and spread."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=2000)
    parser.add_argument("--episodes", type=int, default=100)
    options = parser.parse_args()
    print(f"{options.experiments} experiments of {options.episodes} episodes each; standard deviations in points")
    print("replicates  seeds  of replicates  of seeds  replicate x episode  coverage (%)  half width")
    for design, spread in product(DESIGNS, SPREADS):
        share, width = coverage(design, spread, options.episodes, options.experiments)
        print(
            f"{design[0]:>10}  {design[1]:>5}  {spread[0]:>13}  {spread[1]:>8}  {spread[2]:>19}  {100 * share:>12.1f}  "
            f"{width:>10.2f}"
        )


if __name__ == "__main__":
    main()
