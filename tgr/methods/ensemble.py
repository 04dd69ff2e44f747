"""ensemble: nearest class mean on the features of all teachers side by side. No image, no inversion, no training.

What a pool knows together, against which every learner is to be read: how much of it does one network keep? It is no
single model: each image of a new task passes all teachers.

A query belongs to the class whose support images have the nearest mean, in squared Euclidean distance: Mensink et al.,
Distance-Based Image Classification, TPAMI 2013; as an evaluation of few-shot learners, Snell et al., Prototypical
Networks, NeurIPS 2017. To classify by several networks at once is common in few-shot learning, though not from models
whose data are gone: Dvornik et al., Diversity with Cooperation, ICCV 2019, average what the members of an ensemble say;
Dvornik et al., Selecting Relevant Features from a Multi-domain Representation, ECCV 2020, concatenate their features.

Ours: features of a teacher are centred and scaled to unit mean squared norm, so that none counts for more because its
numbers are larger; over support and query images together under ``bn_mode: batch``, which is transductive anyway, over
the support images alone under ``running``. Every teacher sees the images in its own size and normalisation, not in
those of the meta-model. Of an own network that does not end with a linear layer, outputs stand for features.
``tgr.evaluation.ensemble`` computes all this; the model that is stored names teachers only.
"""

from tgr.config.methods.ensemble import Ensemble
from tgr.errors import TgrError
from tgr.methods.training import Trained, Training, generator
from tgr.pool.draw import draw_teachers, shuffled
from tgr.pool.teacher import Teacher


def train(parameters: Ensemble, training: Training) -> Trained:
    """Return a model without weights that names its members, in the order of the pools.

    Raises:
        TgrError: more teachers are wanted than there are.
    """
    members = choose_members(training, parameters.n_teachers)
    return Trained("ensemble", members=[{"key": one.card.key, "sha256": one.card.sha256} for one in members])


def choose_members(training: Training, count: int | None) -> list[Teacher]:
    """Return ``count`` teachers, each pool in proportion, or all of them; in the order of the pools.

    Raises:
        TgrError: there are fewer.
    """
    teachers = training.teachers
    if count is None:
        return list(teachers)
    if count > len(teachers):
        raise TgrError(f"methods.ensemble.n_teachers: {count}, but the scenario has {len(teachers)} teachers")

    def order(pool: str, members: list[int]) -> list[int]:
        return shuffled(members, generator(training, "members", pool))

    return [teachers[index] for index in draw_teachers([one.card.pool for one in teachers], count, order)]
