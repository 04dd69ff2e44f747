"""Selection rules: which checkpoint of a training is reported (cf. Gulrajani & Lopez-Paz, DomainBed, ICLR 2021).

``last`` looks at nothing, ``datafree`` at held-out recovered images, ``meta_val`` at real validation classes, and
``oracle`` at the test classes themselves: an upper bound that no honest result may use.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tgr.evaluation.scoring import Scorer
    from tgr.evaluation.tasks import TaskSet

CRITERION = "ncm"
"""The protocol by which checkpoints are compared: it needs one forward pass an episode."""


def score_checkpoints(scorer: "Scorer", candidates: Mapping[str, Sequence["TaskSet"]]) -> list[dict[str, Any]]:
    """Score every checkpoint by every rule: the mean accuracy of ``ncm``, averaged over datasets.

    Args:
        candidates: for each rule, the episodes it looks at, one set a dataset.

    Returns:
        rows {checkpoint, step, rule, accuracy}.
    """
    scores = []
    for rule, sets in candidates.items():
        for checkpoint, step in enumerate(scorer.trained.steps):
            means = [np.mean(scorer.score(checkpoint, CRITERION, tasks)) for tasks in sets]
            accuracy = round(float(np.mean(means)), 6)
            scores.append({"checkpoint": checkpoint, "step": step, "rule": rule, "accuracy": accuracy})
    return scores


def choose_checkpoints(scores: Sequence[Mapping[str, Any]], rules: Sequence[str], last: int) -> dict[str, int]:
    """Return the checkpoint of each rule: the best by its scores, of equal ones the later.

    A rule without scores (``last``, or any rule of a model with one checkpoint) chooses ``last``.
    """
    chosen = {}
    for rule in rules:
        rule_scores = [(row["accuracy"], row["checkpoint"]) for row in scores if row["rule"] == rule]
        chosen[rule] = max(rule_scores)[1] if rule_scores else last
    return chosen
