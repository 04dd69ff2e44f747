"""The gains that all draws of an experiment with pairs of teachers found, and their means."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tgr.evaluation.statistics import mean_interval


def gather_pairs(*, draws: Sequence[pd.DataFrame], rows: Path, gains: Path) -> None:
    """Write all draws as one Parquet file, and what ``mean_gains`` returns of them as CSV.

    Args:
        draws: as ``tgr.analysis.pairs.measure_draw`` writes them.
    """
    table = pd.concat(draws, ignore_index=True)
    table.to_parquet(rows, index=False)
    mean_gains(table).to_csv(gains, index=False)


def mean_gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each kind of second teacher the mean gain and its 95 % interval (half width) over draws."""
    means = []
    for (other, overlap, jaccard), part in rows.groupby(["other", "overlap", "jaccard"], sort=False):
        interval = mean_interval(part["gain"].to_numpy())
        means.append(
            {
                "other": other,
                "overlap": overlap,
                "jaccard": jaccard,
                "accuracy": part["accuracy"].mean(),
                "base_accuracy": part["base_accuracy"].mean(),
                "gain": interval.mean,
                "gain_ci95": interval.half_width,
                "n_draws": interval.n,
                "n_episodes": part["n_episodes"].iloc[0],
            }
        )
    return pd.DataFrame(means)
