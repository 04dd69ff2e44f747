"""The pixel engine: the images themselves are the parameters (after Yin et al., DeepInversion, CVPR 2020)."""

import torch
from torch import Tensor, nn

from tgr import launches
from tgr.backbones.probe import Probe
from tgr.config.teachers import Inversion
from tgr.inversion.objective import draw, finite_watch, objective
from tgr.inversion.priors import distance_from_grey, total_variation
from tgr.pool.teacher import Teacher

DEFAULT_STEPS = 100
DEFAULT_LR = 0.05
DETAIL = 0.2
"""Standard deviation of the initial noise at each scale."""


def invert(
    teacher: Teacher, labels: Tensor, config: Inversion, probe: Probe | None, generator: torch.Generator
) -> Tensor:
    """Recover images by optimising their pixels, all classes together.

    The state after the last step is returned, not the one with the lowest loss: the step size decays to zero, and
    the loss of a single step depends on its random crops more than on the last steps' progress.

    Args:
        labels: the class that each image is to show, int64 (n,).
        probe: the network of the prior ``probe_weight``; None without it.

    Returns:
        images, float (n, 3, size, size) in [0, 1], on the teacher's device.

    Raises:
        TgrError: the loss is not finite.
    """
    steps, lr = config.steps or DEFAULT_STEPS, config.lr or DEFAULT_LR
    labels = labels.to(teacher.device)
    images = start_images(len(labels), teacher.card.image_size, generator).to(teacher.device)
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    optimizer = torch.optim.Adam([images], lr=lr, fused=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    priors = [(config.tv_weight, total_variation), (config.l2_weight, distance_from_grey)]
    priors = [(weight, prior) for weight, prior in priors if weight > 0]
    watch = finite_watch(teacher)
    with objective(teacher, labels, config, probe) as descend:

        def step(shifts: Tensor) -> tuple[Tensor]:
            optimizer.zero_grad()
            loss = descend(images, priors, shifts)
            optimizer.step()
            images.data.clamp_(0, 1)
            return (loss,)

        run = launches.runner(step, optimizer, teacher.device)
        for number in range(steps):
            (loss,) = run(draw(teacher, labels, config, generator))
            watch.add(number, loss)
            scheduler.step()
    watch.look()
    return images.detach()


def start_images(n: int, size: int, generator: torch.Generator) -> Tensor:
    """Return noise of all scales, (n, 3, size, size) in [0, 1]: a random colour for each image, then ever finer detail.

    White noise starts all images at the same average grey, from where they grow teacher-specific tints and little else
    below the finest scale; with a start of their own the images differ in colour and layout as real ones do.
    """
    images = torch.rand(n, 3, 1, 1, generator=generator).expand(n, 3, size, size)
    cells = 2
    while cells <= size:
        detail = torch.randn(n, 3, cells, cells, generator=generator)
        images = images + DETAIL * nn.functional.interpolate(detail, size=(size, size), mode="bilinear")
        cells *= 2
    return images.clamp(0, 1)
