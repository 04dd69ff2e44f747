"""realdata: a classifier on the real images of the meta-train classes, trained until it no longer gains. The ceiling.

Each round is a whole training of ``bank`` that starts from the weights of the last one: warm restarts with cosine decay
(Loshchilov and Hutter, ICLR 2017). So every model that is judged has seen the end of a schedule.
"""

from torch import Tensor

from tgr.config.methods.realdata import Realdata
from tgr.meta.pooled import fit_pooled
from tgr.methods.start import start_training
from tgr.methods.trained_out import meta_val_score, train_out
from tgr.methods.training import Trained, Training, generator


def train(parameters: Realdata, training: Training) -> Trained:
    """Train on real images.

    Raises:
        TgrError: the loss is not finite, or as ``meta_val_score``.
    """
    bank = training.real_bank
    model, trained = start_training("random", len(bank.class_names), training)
    draws = generator(training, "bank")

    def train_round(number: int) -> None:
        first = number * parameters.steps

        def observe(step: int, values: dict[str, Tensor]) -> None:
            trained.log(first + step, "bank", values)

        fit_pooled(model, bank, parameters, draws, observe)
        trained.keep(first + parameters.steps, model, head=False)

    train_out(train_round, meta_val_score(model, training), trained, parameters.rounds, parameters.patience)
    return trained
