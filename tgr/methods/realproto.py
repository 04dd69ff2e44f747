"""realproto: prototypical networks (Snell et al., NeurIPS 2017) on the real images of the meta-train classes.

The second ceiling: it learns what nearest class mean asks for, where ``realdata`` learns to classify.
"""

from functools import partial

from tgr.config.methods.realproto import Realproto
from tgr.meta.replay import draw_episodes
from tgr.methods.replay import episode_generator, run_replay
from tgr.methods.trained_out import meta_val_score, train_out
from tgr.methods.training import Trained, Training


def train(parameters: Realproto, training: Training) -> Trained:
    """Train on episodes of real images.

    Raises:
        TgrError: a loss is not finite, or as ``meta_val_score``.
    """
    bank, trained, steps = training.real_bank, Trained(training.meta_model.architecture), parameters.steps
    model = training.model(training.meta.n_way)
    draw = partial(draw_episodes, bank, training.meta, training.k_shot, episode_generator(training), training.device)

    def train_round(number: int) -> None:
        run_replay(model, draw, bank, steps, training, trained, first=number * steps, count=1)

    train_out(train_round, meta_val_score(model, training), trained, parameters.rounds, parameters.patience)
    return trained
