"""Fisher information of a teacher's images: all images at once against one image at a time.

Run by hand, from the project's root: python -m benchmarks.fisher [--images 50] [--image-size 64] [--quick]
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks import timing
from tgr import seeds
from tgr.backbones.probe import load_probe
from tgr.config.teachers import TaskSpace
from tgr.data.transforms import normalise
from tgr.task_space.fisher import Head, fisher_information
from tgr.task_space.gradients import weight_layers

N_WAY = 5
OURS, PLAIN = "all at once", "one by one"


def main() -> None:
    """Print times, and how far the results lie apart."""
    options = timing.parser(__doc__, rounds=5)
    options.add_argument("--images", type=int, default=50)
    options.add_argument("--image-size", type=int, default=64)
    options.add_argument("--weights", default="random", help="as task_space.weights")
    arguments = options.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.images = 1, 2
    timing.begin(arguments)
    probe = load_probe(TaskSpace(weights=arguments.weights, image_size=arguments.image_size))
    generator = seeds.torch_generator("benchmark", "fisher")
    images = torch.rand(arguments.images, 3, arguments.image_size, arguments.image_size, generator=generator)
    images = normalise(images, probe.mean, probe.std)
    features = probe.trunk(images[:1]).shape[1]
    head = Head(torch.randn(N_WAY, features, generator=generator) / features**0.5, torch.zeros(N_WAY))
    ways: dict[str, Callable[[], dict[str, Tensor]]] = {
        OURS: lambda: fisher_information(probe.trunk, head, images, "filter", arguments.images),
        PLAIN: lambda: one_by_one(probe.trunk, head, images),
    }
    title = f"{probe.name}, {arguments.images} images of {arguments.image_size} px, {N_WAY} classes"
    timing.compare(title, timing.interleaved(ways, arguments.rounds, arguments.clock, warm_up=False), OURS)
    one, other = (ways[name]() for name in (OURS, PLAIN))
    apart = max(float((value - other[name]).abs().max() / value.max()) for name, value in one.items())
    print(f"  largest difference, relative to a layer's largest value: {apart:.1e}")


def one_by_one(trunk: nn.Module, head: Head, images: Tensor) -> dict[str, Tensor]:
    """Return the same information by plain autograd: one image a forward pass, one class a backward pass."""
    weights = {f"{name}.weight": layer.weight.requires_grad_() for name, layer in weight_layers(trunk).items()}
    totals = {name: torch.zeros(len(weight)) for name, weight in weights.items()}
    for image in images.split(1):
        log_probabilities = nn.functional.linear(trunk(image), head.weight, head.bias).log_softmax(1)[0]
        for value in log_probabilities:
            gradients = torch.autograd.grad(value, list(weights.values()), retain_graph=True)
            for name, gradient in zip(weights, gradients, strict=True):
                totals[name] += value.exp().detach() * gradient.square().flatten(1).mean(1) / len(images)
    trunk.requires_grad_(False)
    return totals


if __name__ == "__main__":
    main()
