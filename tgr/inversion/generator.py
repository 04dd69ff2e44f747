"""The generator engine, the paper's: a fresh generator for each teacher (Wei et al. 2024, section 4)."""

import torch
from torch import Tensor, nn

from tgr import seeds
from tgr.backbones.probe import Probe
from tgr.config.teachers import Inversion
from tgr.inversion.objective import draw, finite_watch, objective
from tgr.pool.teacher import Teacher

DEFAULT_STEPS = 200
DEFAULT_LR = 1e-3
BETAS = (0.5, 0.999)


class Generator(nn.Sequential):
    """Latent codes (n, latent_dim) to images (n, 3, image_size, image_size) in [0, 1].

    A linear layer gives 2 * width channels at a quarter of the size; two blocks of nearest upsampling, 3x3 convolution,
    BatchNorm and LeakyReLU double it twice; a last convolution and a sigmoid give colours.
    """

    def __init__(self, latent_dim: int, width: int, image_size: int) -> None:
        start, middle = -(-image_size // 4), -(-image_size // 2)
        super().__init__(
            nn.Linear(latent_dim, 2 * width * start**2),
            nn.Unflatten(1, (2 * width, start, start)),
            nn.BatchNorm2d(2 * width),
            *_block(2 * width, 2 * width, middle),
            *_block(2 * width, width, image_size),
            nn.Conv2d(width, 3, 3, padding=1),
            nn.Sigmoid(),
        )


def keep_lower(loss: Tensor, images: Tensor, lowest: Tensor, best: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the lower of two losses, scalars, and its images (n, ...): those given, or the best so far, if any.

    The device chooses: to ask it would be a wait in each step.
    """
    images, lower = images.detach(), loss < lowest
    return torch.where(lower, loss, lowest), images if best is None else torch.where(lower, images, best)


def _block(inputs: int, outputs: int, size: int) -> list[nn.Module]:
    return [
        nn.Upsample(size),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    ]


def invert(
    teacher: Teacher, labels: Tensor, config: Inversion, probe: Probe | None, generator: torch.Generator
) -> Tensor:
    """Recover images by training a generator and its latent codes together; the batch of the lowest loss is returned.

    Takes, returns and raises as ``tgr.inversion.pixel.invert``.
    """
    steps, lr = config.steps or DEFAULT_STEPS, config.lr or DEFAULT_LR
    device = teacher.device
    labels = labels.to(device)
    codes = torch.randn(len(labels), config.latent_dim, generator=generator).to(device).requires_grad_()
    with seeds.forked("generator", int(torch.randint(2**62, (1,), generator=generator))):
        network = Generator(config.latent_dim, config.generator_width, teacher.card.image_size)
    network = network.to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam([*network.parameters(), codes], lr=lr, betas=BETAS, fused=True)
    lowest, best = torch.full((), torch.inf, device=device), None
    watch = finite_watch(teacher)
    with objective(teacher, labels, config, probe) as descend:
        for number in range(steps):
            optimizer.zero_grad()
            images = network(codes)
            loss = descend(images, (), draw(teacher, labels, config, generator).to(device))
            watch.add(number, loss)
            lowest, best = keep_lower(loss, images, lowest, best)
            optimizer.step()
    watch.look()
    assert best is not None
    return best
