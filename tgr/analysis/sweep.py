"""A sweep: how methods fare as something varies between scenarios."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tgr.evaluation.summary import headline_rows, over_all_datasets


def gather_sweep(
    *,
    summaries: Sequence[pd.DataFrame],
    scenarios: Mapping[str, float],
    methods: Mapping[str, str],
    headline: str,
    sweep: Path,
) -> None:
    """Write the summaries of a sweep's scenarios as one CSV, with the scenario's ``value``.

    Args:
        summaries: of the scenarios, in their order, as ``tgr.evaluation.summary.write_summary`` makes them.
        scenarios: the value of each scenario, by name.
        methods: those that take part in all scenarios; others are left out.
        headline: the selection rule of the accuracies.

    Raises:
        TgrError: no evaluation used the selection rule.
    """
    rows = pd.concat(map(over_all_datasets, summaries), ignore_index=True)
    shown = headline_rows(rows[rows["method"].isin(list(methods))], headline)
    shown.drop(columns="label").assign(value=shown["scenario"].map(dict(scenarios))).to_csv(sweep, index=False)
