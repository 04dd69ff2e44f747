"""bank: one classifier over all classes of the image bank, its trunk kept, a new head for each task.

A simple baseline that the literature on data-free meta-learning lacks; with real images it is known to be strong
(Chen et al., A Closer Look at Few-shot Classification, ICLR 2019; Tian et al., ECCV 2020).
"""

from torch import Tensor

from tgr.config.methods.bank import Bank, ClassifierTraining
from tgr.meta.bank import ImageBank
from tgr.meta.pooled import Term, fit_pooled
from tgr.methods.start import start_training
from tgr.methods.training import Trained, Training, checkpoint_steps, generator


def train(parameters: Bank, training: Training) -> Trained:
    """Train on the recovered images of all teachers.

    Raises:
        TgrError: as ``train_on``.
    """
    return train_on(training.bank(parameters.class_identity), parameters, training, start=parameters.start)


def train_on(
    bank: ImageBank,
    parameters: ClassifierTraining,
    training: Training,
    term: Term | None = None,
    start: str = "random",
) -> Trained:
    """Train the pooled classifier on any bank.

    Args:
        term: what is added to its loss.
        start: from random weights, or from the trunk of the ``best`` teacher, see ``start_training``.

    Raises:
        TgrError: the loss is not finite, or no teacher has the meta-model's architecture to start from.
    """
    model, trained = start_training(start, len(bank.class_names), training)
    marks = checkpoint_steps(0, parameters.steps, training.meta.n_checkpoints)

    def observe(step: int, values: dict[str, Tensor]) -> None:
        trained.log(step, "bank", values)
        if step in marks:
            trained.keep(step, model, head=False)

    fit_pooled(model, bank, parameters, generator(training, "bank"), observe, term)
    return trained
