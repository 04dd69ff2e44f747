"""realbank: the learner of ``bank`` on the real images of the meta-train classes, for equally many steps.

It says how much worse recovered images are than real ones, all else equal. The ceiling is ``realdata``.
"""

from tgr.config.methods.realbank import Realbank
from tgr.methods import bank
from tgr.methods.training import Trained, Training


def train(parameters: Realbank, training: Training) -> Trained:
    """Train on real images."""
    return bank.train_on(training.real_bank, parameters, training)
