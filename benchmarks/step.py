"""The regularised step: displacement held constant, one graph at a time, against the graph kept through it.

Run by hand, from the project's root: python -m benchmarks.step [--quick]
"""

from collections.abc import Callable
from typing import NamedTuple

import torch

from benchmarks import naive, timing
from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.backbones.registry import build
from tgr.config.methods.tgr import Tgr
from tgr.meta.group_step import View, teacher_loss
from tgr.meta.regularisation import Loss, regularised_gradient

N_WAY = 5
STRENGTH = 1e-3
OURS, KEPT, PLAIN = "ours", "graph kept, same network", "graph kept, plain network"


class Size(NamedTuple):
    """How large a step is."""

    teachers: int
    images: int
    width: int
    image_size: int


def main() -> None:
    """Print times, peak memory, and how far the results lie apart."""
    options = timing.parser(__doc__, rounds=7)
    options.add_argument("--teachers", type=int, default=4)
    options.add_argument("--images", type=int, default=150, help="of each teacher; the release takes 150")
    arguments = options.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.images = 1, 10
    timing.begin(arguments)
    size = Size(arguments.teachers, arguments.images, 32, 32)
    variants = {name: prepare(name, size) for name in (OURS, KEPT, PLAIN)}
    title = f"regularised step, {size.teachers} teachers x {size.images} images, Conv4 of {size.width}"
    timing.compare(title, timing.interleaved(variants, arguments.rounds, arguments.clock), OURS)
    print("\ntensors alive at once, at most, MB")
    for name, variant in {"one gradient of one teacher": prepare_single(size), **variants}.items():
        print(f"  {name:34} {timing.peak_tensors(variant):10.1f}")
    found = {name: variant() for name, variant in variants.items()}
    print("\nrelative difference to the plain network's gradient (ours has half the strength: see docs/deviations.md)")
    for name in (OURS, KEPT):
        print(f"  {name:34} {_difference(found[name], found[PLAIN]):10.1e}")


def prepare(name: str, size: Size) -> Callable[[], naive.Parameters]:
    """Return one step of a variant, on random images and logits."""
    model, losses = _losses(size, plain=name == PLAIN)
    parameters = dict(model.named_parameters())

    def step() -> naive.Parameters:
        if name == PLAIN:
            return naive.regularised_gradient(losses, parameters, STRENGTH)
        with batchnorm_mode(model, "batch"):
            return regularised_gradient(losses, parameters, STRENGTH, through_displacement=name == KEPT).gradient

    return step


def prepare_single(size: Size) -> Callable[[], object]:
    """Return the gradient of one teacher's loss."""
    model, losses = _losses(size, plain=False)
    parameters = dict(model.named_parameters())

    def gradient() -> object:
        with batchnorm_mode(model, "batch"):
            return torch.autograd.grad(losses[0](parameters), list(parameters.values()))

    return gradient


def _losses(size: Size, *, plain: bool) -> tuple[Classifier, list[Loss]]:
    model = build("conv4", N_WAY, size.width, size.image_size, "benchmark")
    if plain:
        model = naive.conv4_like(model)
    layout = torch.contiguous_format if plain else torch.channels_last
    generator = seeds.torch_generator("benchmark", "step")
    labels = torch.arange(size.images) % N_WAY
    losses = []
    for _ in range(size.teachers):
        images = torch.randn(size.images, 3, size.image_size, size.image_size, generator=generator)
        logits = torch.randn(size.images, N_WAY, generator=generator)
        images = images.contiguous(memory_format=layout)
        losses.append(teacher_loss(model, View(images, labels, logits, torch.arange(N_WAY)), Tgr()))
    return model, losses


def _difference(one: naive.Parameters, other: naive.Parameters) -> float:
    """Return the length of the difference, relative to the second gradient's."""
    apart = sum(float((one[name] - other[name]).square().sum()) for name in one)
    return (apart / sum(float(value.square().sum()) for value in other.values())) ** 0.5


if __name__ == "__main__":
    main()
