"""random: a fresh backbone, adapted on the support set alone. What pre-trained models add must exceed it."""

from tgr.config.methods.random import Random
from tgr.methods.training import Trained, Training


def train(parameters: Random, training: Training) -> Trained:
    """Return an untrained backbone."""
    trained = Trained(training.meta_model.architecture)
    trained.keep(0, training.model(training.meta.n_way), head=False)
    return trained
