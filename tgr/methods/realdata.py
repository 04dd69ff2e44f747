"""realdata: a learner on the real images of the meta-train classes. The ceiling of every data-free method."""

from tgr.config.methods.realdata import Realdata
from tgr.methods import bank, replay
from tgr.methods.training import Trained, Training


def train(parameters: Realdata, training: Training) -> Trained:
    """Train the configured learner on real images."""
    if parameters.learner == "replay":
        return replay.train_on(training.real_bank, parameters.steps, training)
    return bank.train_on(training.real_bank, parameters, training)
