"""Training until a score no longer rises."""

from collections.abc import Sequence

import pytest
from torch import nn

from tgr.methods.trained_out import train_out
from tgr.methods.training import Trained


@pytest.mark.parametrize(
    ("scores", "rounds", "patience", "trained_rounds", "best"),
    [
        ([0.3, 0.4, 0.4, 0.35, 0.9], 5, 2, 4, 1),  # a tie is no gain, and the first of equals is kept
        ([0.3, 0.2, 0.4, 0.3, 0.5, 0.6], 6, 2, 6, 5),  # one round without a gain is forgiven
        ([0.5, 0.4, 0.6], 3, 1, 2, 0),
        ([0.1, 0.2, 0.3], 3, 2, 3, 2),  # as many rounds as there may be
    ],
)
def test_training_ends_where_the_score_stalls_and_keeps_the_best(
    scores: Sequence[float], rounds: int, patience: int, trained_rounds: int, best: int
) -> None:
    trained, model, coming = Trained("conv4"), nn.Linear(1, 1), iter(scores)

    def train_round(number: int) -> None:
        nn.init.constant_(model.weight, number)
        trained.log(10 * number + 10, "bank", {"loss": 1.0})
        trained.keep(10 * number + 10, model, head=True)

    train_out(train_round, lambda: next(coming), trained, rounds, patience)
    [(step, state)] = trained.checkpoints
    assert (step, state["weight"].item()) == (10 * best + 10, best)
    found = [value for _, phase, name, value in trained.curves if (phase, name) == ("bank", "meta_val_accuracy")]
    assert found == list(scores[:trained_rounds])
