"""Rows of several replicates of one scenario in one table."""

import pandas as pd

from tgr.config.replicates import number, original
from tgr.evaluation.statistics import REPLICATE


def tell_replicates(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of several replicates with their numbers in a column ``replicate``, under one name of the scenario;
    rows of a single one as they are.

    Args:
        frame: its column ``scenario`` holds the names of replicates, e.g. ``icons`` and ``icons~2``.
    """
    names = frame["scenario"].unique()
    if len(names) == 1:
        return frame
    replicates = frame["scenario"].map({name: number(name) for name in names})
    scenarios = frame["scenario"].map({name: original(name) for name in names})
    return frame.assign(**{"scenario": scenarios, REPLICATE: replicates})
