"""average: the mean of the teachers' trunk weights, the simplest fusion of models of one architecture.

BatchNorm statistics are averaged with the weights. Heads are not: their labels mean different classes.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgr.config.methods.average import Average
from tgr.methods.start import find_matching_teachers
from tgr.methods.training import Trained, Training
from tgr.pool.card import Card


def average_trunks(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of the trunks of some classifiers' states, by name."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
        if name.startswith("trunk.")
    }


def average_normalisations(cards: Sequence[Card]) -> tuple[list[float], list[float]]:
    """Return the mean of the teachers' input normalisations: channel means and standard deviations."""
    centre, scale = (torch.tensor([getattr(card, part) for card in cards]).mean(0).tolist() for part in ("mean", "std"))
    return centre, scale


def train(parameters: Average, training: Training) -> Trained:
    """Return the averaged trunk.

    Raises:
        TgrError: no teacher has the meta-model's architecture.
    """
    teachers = find_matching_teachers(training, "method average")
    model = training.model(training.meta.n_way)
    model.load_state_dict(average_trunks([teacher.model.state_dict() for teacher in teachers]), strict=False)
    centre, scale = average_normalisations([teacher.card for teacher in teachers])
    trained = Trained(training.meta_model.architecture, mean=centre, std=scale)
    trained.keep(0, model, head=False)
    return trained
