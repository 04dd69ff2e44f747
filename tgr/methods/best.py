"""best: the trunk of the teacher with the highest held-out accuracy as initialisation.

The teacher's head is not kept: its classes are not those of a new task. Only teachers of the meta-model's architecture
can serve.
"""

from tgr.config.methods.best import Best
from tgr.methods.start import choose_best, find_matching_teachers
from tgr.methods.training import Trained, Training


def train(parameters: Best, training: Training) -> Trained:
    """Return the best teacher's trunk; among equals the first.

    Raises:
        TgrError: no teacher has the meta-model's architecture.
    """
    teacher = choose_best(find_matching_teachers(training, "method best"))
    trained = Trained(training.meta_model.architecture, mean=teacher.card.mean, std=teacher.card.std)
    trained.keep(0, teacher.model, head=False)
    return trained
