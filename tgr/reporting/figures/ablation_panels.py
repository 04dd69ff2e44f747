"""What the panels of an ablation's figure show, whether its variants are points on a line or rows."""

from dataclasses import dataclass

import pandas as pd

from tgr.analysis.ablation import COLUMNS, REPLICATES
from tgr.errors import TgrError
from tgr.reporting import labels
from tgr.reporting.figures.panels import count, count_trainings, value_label

MEASURES = {
    "gap": ("Recovered minus unseen", "accuracy (points)"),
    "relative_variance": ("Gradient conflict: variance", "relative to \u2016mean\u2016\u00b2"),
    "gradient_cosine": ("Gradient conflict: cosine", "mean over pairs"),
}
"""Measures besides the accuracy: title and unit of their panels."""
N_COLUMNS = 3


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: what it shows.
        unit: the label of the axis of values.
        rows: columns mean, low, high in that unit, ``series`` (a colour each) and ``line`` (a line style or marker
            each; empty if there is one), besides those of the table.
    """

    title: str
    unit: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class AblationTable:
    """The table that ``tgr.analysis.ablation`` writes.

    Attributes:
        frame: its rows, values as shares of 1.
        factors: the varied parameters.
        numeric: the parameter with three numbers or more as values, if there is one.
    """

    frame: pd.DataFrame
    factors: list[str]
    numeric: str | None

    @property
    def split(self) -> list[str]:
        """What else than the numeric parameter differs between variants: factors, and the method."""
        columns = ["method", *(factor for factor in self.factors if factor != self.numeric)]
        return [column for column in columns if self.frame[column].nunique(dropna=False) > 1]

    @property
    def counts(self) -> str:
        """How many episodes and seeds the accuracies stand for."""
        rows = self.frame[self.frame["measure"] == "accuracy"]
        return f"{count(rows['n'], 'episode')} of unseen classes, {count_trainings(rows)} of training"


def ablation_table(frame: pd.DataFrame) -> AblationTable:
    """Find the factors of an ablation, and which of them is an axis.

    Raises:
        TgrError: the table lacks columns.
    """
    if missing := set(COLUMNS) - set(frame):
        raise TgrError(
            f"ablation: the columns {', '.join(sorted(missing))} are missing; delete its table and run again"
        )
    factors = [str(column) for column in frame if column not in (*COLUMNS, REPLICATES)]
    numeric = next((factor for factor in factors if _is_axis(frame[factor])), None)
    return AblationTable(frame, factors, numeric)


def _is_axis(values: pd.Series) -> bool:
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return bool(numbers and values.notna().all() and values.nunique() >= 3)


def panels_of(table: AblationTable) -> list[list[Panel]]:
    """Return rows of at most ``N_COLUMNS`` panels: accuracies first, then the other measures that were recorded.

    Variants in a line that nothing else sets apart have one accuracy panel a shot, with a series for each protocol;
    otherwise each shot and protocol has a panel of its own.
    """
    frame = table.frame
    named = frame.assign(
        series=[value_label(values) for values in frame[table.split].itertuples(index=False)] if table.split else "",
        line="",
    )
    accuracies = named[named["measure"] == "accuracy"]
    shots = sorted(accuracies["shot"].astype(int).unique())
    protocols = labels.in_order(set(accuracies["protocol"]), labels.PROTOCOLS)
    grid = []
    if table.numeric and not table.split:
        grid.append([_of_shot(accuracies, shot) for shot in shots])
    else:
        grid += [[_of_protocol(accuracies, shot, protocol) for protocol in protocols] for shot in shots]
    others = [_other(named, measure) for measure in MEASURES if (named["measure"] == measure).any()]
    panels = [*(panel for row in grid for panel in row), *others] if len(grid) == 1 else None
    if panels is not None:
        in_row = -(-len(panels) // -(-len(panels) // N_COLUMNS))  # four panels stand two by two
        return [panels[i : i + in_row] for i in range(0, len(panels), in_row)]
    return [*grid, others] if others else grid


def _of_shot(accuracies: pd.DataFrame, shot: int) -> Panel:
    rows = accuracies[accuracies["shot"].astype(int) == shot]
    names = rows["protocol"].map(lambda name: labels.PROTOCOLS.get(name, name))
    return Panel(f"{shot}-shot", "accuracy (%)", _scaled(rows.assign(series=names), 100))


def _of_protocol(accuracies: pd.DataFrame, shot: int, protocol: str) -> Panel:
    rows = accuracies[(accuracies["shot"].astype(int) == shot) & (accuracies["protocol"] == protocol)]
    return Panel(f"{shot}-shot, {labels.PROTOCOLS.get(protocol, protocol).lower()}", "accuracy (%)", _scaled(rows, 100))


def _other(named: pd.DataFrame, measure: str) -> Panel:
    rows = named[named["measure"] == measure]
    title, unit = MEASURES[measure]
    if rows["shot"].nunique() > 1:
        rows = rows.assign(line=[f"{shot}-shot" for shot in rows["shot"]])
    return Panel(title, unit, _scaled(rows, 100 if measure == "gap" else 1))


def _scaled(rows: pd.DataFrame, factor: float) -> pd.DataFrame:
    return rows.assign(**{name: rows[name] * factor for name in ("mean", "low", "high")})
