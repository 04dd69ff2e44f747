"""Fisher information of a teacher's images: all images at once against one image at a time.

Run by hand, from the project's root: python -m benchmarks.fisher [--repeats 5] [--images 50] [--image-size 64]
The two take turns, so that a busy machine slows both; compare medians.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tgr import seeds
from tgr.config.schema import TaskSpace
from tgr.data.transforms import normalise
from tgr.task_space.fisher import Head, fisher_information
from tgr.task_space.gradients import weight_layers
from tgr.task_space.probe import load_probe


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


def main() -> None:
    """Time both and print medians, minima and their ratio."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--images", type=int, default=50)
    arguments.add_argument("--image-size", type=int, default=64)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--weights", default="random", help="as task_space.weights")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    probe = load_probe(TaskSpace(weights=options.weights, image_size=options.image_size))
    generator = seeds.torch_generator("benchmark", "fisher")
    images = torch.rand(options.images, 3, options.image_size, options.image_size, generator=generator)
    images = normalise(images, probe.mean, probe.std)
    features = probe.trunk(images[:1]).shape[1]
    head = Head(torch.randn(5, features, generator=generator) / features**0.5, torch.zeros(5))
    ways: dict[str, Callable[[], dict[str, Tensor]]] = {
        "batched": lambda: fisher_information(probe.trunk, head, images, "filter", options.images),
        "one by one": lambda: one_by_one(probe.trunk, head, images),
    }
    print(f"{probe.name}, {options.images} images of {options.image_size} px, 5 classes, {options.repeats} repeats")
    malloc = {name: os.environ.get(name) for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")}
    print(f"threads: {torch.get_num_threads()} of {os.cpu_count()} cores; {malloc}")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        results = [_timed(seconds[name], way) for name, way in ways.items()]
    for name, times in seconds.items():
        print(f"{name:>10}: median {statistics.median(times):.2f} s, minimum {min(times):.2f} s")
    slow, fast = statistics.median(seconds["one by one"]), statistics.median(seconds["batched"])
    print(f"{'ratio':>10}: {slow / fast:.1f}")
    print(f"largest difference, relative to a layer's largest value: {_difference(*results):.1e}")


def _timed(times: list[float], way: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    started = time.perf_counter()
    result = way()
    times.append(time.perf_counter() - started)
    return result


def _difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((value - other[name]).abs().max() / value.max()) for name, value in one.items())


if __name__ == "__main__":
    main()
