"""ota: teachers' neurons aligned by optimal transport, then averaged.

Singh and Jaggi, Model Fusion via Optimal Transport, NeurIPS 2020, section 4: layer by layer, the neurons of a teacher
are transported to those of a reference teacher, with the distance of their incoming weights or of their activations as
ground metric; then the weights are averaged. Between layers of equal width a transport plan is a permutation.

Ours: the reference is the teacher with the highest held-out accuracy; a convolution and its BatchNorm count as one
layer, whose channels are the neurons; activations are what enters the ReLUs (a dead channel has no other mark), on
images recovered from all teachers, on which BatchNorm statistics are then measured anew after the fusion; with incoming
weights as ground metric no image is looked at, and BatchNorm statistics are averaged with the weights.
"""

from collections.abc import Sequence

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.nn.functional import max_pool2d

from tgr.backbones.classifier import recalibrate_batchnorm
from tgr.backbones.conv4 import Block
from tgr.config.methods.ota import Ota
from tgr.data.transforms import normalise, per_channel
from tgr.errors import TgrError
from tgr.meta.bank import MEAN, STD, ImageBank
from tgr.methods.average import average_normalisations, average_trunks
from tgr.methods.start import choose_best, find_matching_teachers
from tgr.methods.training import Trained, Training
from tgr.pool.teacher import Teacher

try:
    import ot
except ModuleNotFoundError as error:
    raise TgrError("methods.ota: needs the library POT, which is not installed; pip install POT") from error

State = dict[str, Tensor]
Order = list[Tensor]
"""For each block, the channel of a teacher that stands for each channel of the reference."""

CALIBRATION_IMAGES, CALIBRATION_BATCH = 1024, 128


def train(parameters: Ota, training: Training) -> Trained:
    """Return the mean of the aligned trunks.

    Raises:
        TgrError: the meta-model is no Conv4, or no teacher has its architecture.
    """
    teachers = conv4_teachers(training, "ota")
    bank = training.bank("shared") if "recovered" in parameters.starts_from else None
    images = spread_images(bank, parameters.images) if bank else None
    orders = align(choose_best(teachers), teachers, parameters.ground_metric, images)
    states = [permute_channels(t.model.state_dict(), order) for t, order in zip(teachers, orders, strict=True)]
    model = training.model(training.meta.n_way)
    model.load_state_dict(average_trunks(states), strict=False)
    centre, scale = average_normalisations([teacher.card for teacher in teachers])
    if bank:
        recalibrate_batchnorm(model, make_calibration_batches(bank, centre, scale, training.device))
    trained = Trained(training.meta_model.architecture, mean=centre, std=scale)
    trained.keep(0, model, head=False)
    return trained


def conv4_teachers(training: Training, method: str) -> list[Teacher]:
    """Return the teachers that can be fused channel by channel into the meta-model.

    Raises:
        TgrError: the meta-model is no Conv4, or no teacher has its architecture and width.
    """
    architecture = training.meta_model.architecture
    if architecture != "conv4":
        raise TgrError(
            f"method {method}: aligns the channels of conv4 only, not those of {architecture}, where residual "
            "connections or attention tie the channels of several layers; leave it out of scenarios.*.methods, or use "
            "`average` or `best`"
        )
    return find_matching_teachers(training, f"method {method}")


def align(
    reference: Teacher, teachers: Sequence[Teacher], ground_metric: str, images: Tensor | None = None
) -> list[Order]:
    """Return for each teacher the order of channels that brings it nearest to the reference.

    Args:
        ground_metric: ``weights`` or ``activations``.
        images: (n, 3, size, size) in [0, 1], for the activations.
    """
    with threadpool_limits(1):  # the same rounding, hence the same permutation, whatever the number of cores
        if ground_metric == "weights":
            return [_align_weights(reference, teacher) for teacher in teachers]
        assert images is not None
        targets = block_outputs(reference, images)
        return [
            [match_rows(_by_channel(a), _by_channel(b)) for a, b in zip(targets, block_outputs(t, images), strict=True)]
            for t in teachers
        ]


def list_blocks(teacher: Teacher) -> list[Block]:
    """Return the blocks of a Conv4 in their order."""
    return [module for module in teacher.model.modules() if isinstance(module, Block)]


def _align_weights(reference: Teacher, teacher: Teacher) -> Order:
    order: Order = []
    for reference_block, block in zip(list_blocks(reference), list_blocks(teacher), strict=True):
        order.append(match_rows(_incoming(reference_block, None), _incoming(block, order[-1] if order else None)))
    return order


@torch.no_grad()
def _incoming(block: Block, inputs: Tensor | None) -> Tensor:
    """Return what enters each channel (n, d): its weights and bias as they act, BatchNorm folded in."""
    conv, norm = block.conv, block.norm
    assert norm.running_mean is not None and norm.running_var is not None and conv.bias is not None
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = conv.weight if inputs is None else conv.weight[:, inputs.to(conv.weight.device)]
    bias = norm.bias + (conv.bias - norm.running_mean) * factor
    return torch.cat([weight.flatten(1) * factor[:, None], bias[:, None]], 1)


@torch.no_grad()
def block_outputs(teacher: Teacher, images: Tensor) -> list[Tensor]:
    """Return the outputs (n, channels, h, w) of a teacher's blocks before ReLU, for images in [0, 1] or uint8."""
    outputs = []
    x = normalise(images.to(next(teacher.model.parameters()).device), teacher.card.mean, teacher.card.std)
    for block in list_blocks(teacher):
        x = max_pool2d(block.norm(block.conv(x)), 2)
        outputs.append(x)
        x = x.relu()
    return outputs


def _by_channel(output: Tensor) -> Tensor:
    return output.transpose(0, 1).flatten(1)


def match_rows(reference: Tensor, other: Tensor) -> Tensor:
    """Return for each row of ``reference`` (n, d) the row of ``other`` (n, d) that optimal transport brings to it.

    Rows have equal mass and Euclidean distances are the cost.
    """
    cost = ot.dist(*(rows.detach().cpu().double().numpy() for rows in (reference, other)), metric="euclidean")
    return torch.from_numpy(ot.emd([], [], cost).argmax(1))


def permute_channels(state: State, order: Order) -> State:
    """Return a Conv4's state with the channels of each block in another order, those of the head's inputs too.

    The function that the classifier computes stays the same.
    """
    result = {}
    for name, value in state.items():
        place = name.split(".")
        if place[0] == "trunk" and value.ndim:
            block = int(place[1])
            value = value[order[block].to(value.device)]
            if value.ndim == 4 and block > 0:
                value = value[:, order[block - 1].to(value.device)]
        elif name == "head.weight":
            channels = value.unflatten(1, (len(order[-1]), -1))
            value = channels[:, order[-1].to(value.device)].flatten(1)
        result[name] = value
    return result


def spread_images(bank: ImageBank, count: int) -> Tensor:
    """Return up to ``count`` images of a bank, in [0, 1], spread evenly over teachers and classes."""
    n = len(bank.images)
    chosen = torch.linspace(0, n - 1, min(count, n), dtype=torch.float64).round().long()
    images = bank.images[chosen]
    return images * per_channel(STD, images) + per_channel(MEAN, images)


def make_calibration_batches(
    bank: ImageBank, centre: list[float], scale: list[float], device: torch.device
) -> list[Tensor]:
    """Return batches for BatchNorm statistics, each spread over the whole bank."""
    images = normalise(spread_images(bank, CALIBRATION_IMAGES), centre, scale).to(device)
    n_batches = -(-len(images) // CALIBRATION_BATCH)
    return [images[i::n_batches] for i in range(n_batches)]
