"""Contrasts: claims about trainings, each a weighted sum of their accuracies, with its interval and what it decides."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tgr.evaluation.statistics import Difference, contrast, crossed, holm, training_counts, trainings_for
from tgr.evaluation.summary import ENOUGH, headline_rows, read_episodes

CONFIRMED, REFUTED, UNDECIDED = "confirmed", "refuted", "undecided"


def measure_contrasts(
    *,
    evaluations: Sequence[Path],
    cells: Mapping[str, str],
    claims: Mapping[str, Mapping[str, float]],
    margin: float,
    headline: str,
    contrasts: Path,
) -> None:
    """Write what is claimed of some trainings, and what they show, as one CSV.

    Its columns: claim, shot, protocol, selection, split; ``mean``, the weighted sum of accuracies, as a share of 1;
    ``low`` and ``high``, its 95 % interval over trainings (replicates, if there are several) and episodes;
    ``p_value``; ``p_holm``, which holds for all claims of a shot and protocol together; ``verdict``, see ``decide``;
    ``trainings_needed``: how many trainings, or replicates, would make the half width as small as the margin, empty if
    these say nothing about it; ``n_episodes``, ``n_seeds``, and with several replicates ``n_replicates``.

    Args:
        evaluations: folders of all trainings.
        cells: the name of each cell's training.
        claims: the weights of cells in each claim.
        margin: the least difference that matters, as a share of 1.
        headline: the selection rule that is shown.

    Raises:
        TgrError: an evaluation is missing or damaged, or trainings do not share their episodes.
    """
    rows = headline_rows(read_episodes(evaluations), headline)
    found = []
    for (shot, protocol), part in rows.groupby(["shot", "protocol"], sort=True):
        tables = {cell: crossed(part[part["method"] == training]) for cell, training in cells.items()}
        about = {"shot": shot, "protocol": protocol, "selection": headline, "split": part["split"].iloc[0]}
        counts = training_counts(part)
        terms = {claim: [(w, tables[cell]) for cell, w in weights.items()] for claim, weights in claims.items()}
        shown = {claim: contrast(terms[claim]) for claim in claims}
        p_values = holm([difference.p_value for difference in shown.values()])
        for (claim, difference), p_holm in zip(shown.items(), p_values, strict=True):
            values = {
                "mean": difference.mean,
                "low": difference.mean - difference.half_width,
                "high": difference.mean + difference.half_width,
                "p_value": difference.p_value,
                "p_holm": p_holm,
                "verdict": decide(difference, margin),
                "trainings_needed": trainings_for(terms[claim], margin),
                "n_episodes": difference.n,
            }
            found.append({"claim": claim} | about | values | counts)
    pd.DataFrame(found).astype({"trainings_needed": "Int64"}).to_csv(contrasts, index=False)


def decide(shown: Difference, margin: float) -> str:
    """Return what an interval says of the claim that a contrast is positive.

    ``refuted``: it excludes any positive difference that matters, even if it lies above 0; ``confirmed``: it lies above
    0, and one that matters is possible; ``undecided``: neither, or fewer than three independent trainings.
    """
    if shown.n_trainings < ENOUGH:
        return UNDECIDED
    if shown.mean + shown.half_width < margin:
        return REFUTED
    return CONFIRMED if shown.mean - shown.half_width > 0 else UNDECIDED
