"""Teachers whose weights a meta-model can take, and a training that starts from the best of them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tgr.backbones.classifier import Classifier
from tgr.errors import TgrError
from tgr.meta.bank import MEAN, STD
from tgr.methods.training import Trained, Training
from tgr.pool.teacher import Teacher


def find_matching_teachers(training: Training, user: str, remedy: str = "leave the method out") -> list[Teacher]:
    """Return the teachers whose trunk has the meta-model's architecture and width; others cannot take part.

    Args:
        user: what needs them, for the error: the name of a method, or one of its keys.
        remedy: what else to do, for the error.

    Raises:
        TgrError: there is none.
    """
    meta_model = training.meta_model
    teachers = [
        teacher
        for teacher in training.teachers
        if (teacher.card.architecture, teacher.card.width) == (meta_model.architecture, meta_model.width)
        and teacher.card.format == "weights"
        and teacher.card.options == meta_model.options
    ]
    if not teachers:
        raise TgrError(
            f"{user}: no teacher has the meta-model's architecture, {meta_model.architecture} of width "
            f"{meta_model.width}; give the scenario the architecture of one of its pools, or {remedy}"
        )
    return teachers


def choose_best(teachers: Sequence[Teacher]) -> Teacher:
    """Return the teacher with the highest held-out accuracy; among equals the first."""
    return max(teachers, key=lambda t: t.card.held_out_accuracy or 0)


def start_training(start: str, n_classes: int, training: Training) -> tuple[Classifier, Trained]:
    """Return a classifier that takes images as the image bank has them, and the empty record of its training.

    Args:
        start: ``random``, or ``best``: the trunk of the teacher with the highest held-out accuracy, under a new head.
            The record, and with it every checkpoint, then has that teacher's input normalisation.

    Raises:
        TgrError: ``best``, but no teacher has the meta-model's architecture.
    """
    model = training.model(n_classes)
    if start == "random":
        return model, Trained(training.meta_model.architecture)
    teacher = choose_best(find_matching_teachers(training, "start: best", "start from `random`"))
    weights = teacher.model.state_dict()
    model.trunk.load_state_dict({k.removeprefix("trunk."): v for k, v in weights.items() if k.startswith("trunk.")})
    renormalise_inputs(model.trunk, teacher.card.mean, teacher.card.std)
    return model, Trained(training.meta_model.architecture, mean=teacher.card.mean, std=teacher.card.std)


def renormalise_inputs(trunk: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
    """Let a trunk that expects another input normalisation take images as the image bank has them, in place.

    Folded into the first convolution the change would be exact only away from the borders: convolutions pad with zeros,
    which are another colour in each normalisation. So images are changed before they enter, by a hook, which is no part
    of the weights.

    Args:
        mean, std: of each channel, in the normalisation that the trunk expects.
    """
    weight = next(trunk.parameters())
    centre, spread, own_centre, own_spread = (
        torch.tensor(part, dtype=weight.dtype, device=weight.device).view(1, 3, 1, 1) for part in (MEAN, STD, mean, std)
    )
    factor, offset = spread / own_spread, (centre - own_centre) / own_spread

    def renormalise(_trunk: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (torch.addcmul(offset, inputs[0], factor),)

    trunk.register_forward_pre_hook(renormalise)
