"""Dissimilarity and groups of thousands of teachers, and what the approximation for them costs in accuracy.

Run by hand, from the project's root: python -m benchmarks.grouping [--teachers 10000] [--kind balanced] [--quick]
The embeddings are drawn, not measured: a level for each filter of the probe, moved by domain, by a few factors that
teachers share, and by the teacher alone. Exact times for all teachers are extrapolated from fewer, as n squared.
"""

import resource
import time
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from benchmarks import timing
from tgr import seeds
from tgr.backbones.probe import load_probe
from tgr.config.teachers import TaskSpace
from tgr.task_space import dissimilarity as module
from tgr.task_space.dissimilarity import dissimilarity
from tgr.task_space.gradients import weight_layers
from tgr.task_space.grouping import group

N_DOMAINS, N_FACTORS = 5, 12
Result = TypeVar("Result")


def main() -> None:
    """Print times, peak memory, and the difference from the exact form on fewer teachers."""
    options = timing.parser(__doc__, rounds=1)
    options.add_argument("--teachers", type=int, default=10_000)
    options.add_argument(
        "--exact", type=int, default=300, help="teachers of the exact form, from which it is extrapolated"
    )
    options.add_argument("--kind", default="heterogeneous")
    arguments = options.parse_args()
    if arguments.quick:
        arguments.teachers, arguments.exact = 1200, 60
    timing.begin(arguments)
    widths = [len(layer.weight) for layer in weight_layers(load_probe(TaskSpace(weights="random")).trunk).values()]
    print(f"embeddings of the default probe: {len(widths)} layers, {sum(widths)} values")
    _few(widths, arguments.exact, arguments.teachers)
    embeddings = draw(widths, arguments.teachers)
    print(f"\n{arguments.teachers} teachers; process before: {_resident_gb():.2f} GB")
    matrix = _timed("dissimilarity through landmarks", lambda: dissimilarity(embeddings))
    found = _timed(f"groups, {arguments.kind}", lambda: group(matrix.numpy(), arguments.kind, N_DOMAINS, 0))
    print(f"  sizes {found.quality['sizes']}; largest resident size of the process: {_resident_gb():.2f} GB")


def draw(widths: list[int], n: int) -> list[dict[str, Tensor]]:
    """Return n embeddings with layers of some widths; teacher i is of domain i % N_DOMAINS."""
    generator = seeds.torch_generator("benchmark", "grouping")
    domains, factors = torch.arange(n) % N_DOMAINS, torch.randn(n, N_FACTORS, generator=generator)
    layers = []
    for width in widths:
        level = 2 * torch.randn(width, generator=generator) - 8
        moved = 0.8 * torch.randn(N_DOMAINS, width, generator=generator)
        loadings = 0.5 * torch.randn(N_FACTORS, width, generator=generator) / N_FACTORS**0.5
        own = torch.randn(n, width, generator=generator).mul_(0.5).addmm_(factors, loadings)
        layers.append(own.add_(level).add_(moved[domains]).exp_())
    return [{f"layer{index}": values[i] for index, values in enumerate(layers)} for i in range(n)]


def _few(widths: list[int], n: int, all_of_them: int) -> None:
    """Compare both forms on a few teachers."""
    embeddings = draw(widths, n)
    print(f"\n{n} teachers")
    started = time.process_time()
    exact = _timed("all pairs, exactly", lambda: dissimilarity(embeddings))
    seconds = time.process_time() - started
    print(f"  extrapolated to {all_of_them} teachers: {seconds * (all_of_them / n) ** 2 / 60:.0f} minutes of computing")
    limit, module.DIRECT_LIMIT = module.DIRECT_LIMIT, 0
    found = _timed("through landmarks", lambda: dissimilarity(embeddings)).double()
    module.DIRECT_LIMIT = limit
    pairs = torch.ones_like(exact, dtype=torch.bool).triu(1)
    error, agreement = (found - exact)[pairs], torch.corrcoef(torch.stack([found[pairs], exact[pairs]]))[0, 1]
    print(f"  values {exact[pairs].mean():.3f} +- {exact[pairs].std():.3f}; error: mean {error.mean():.4f}, root mean")
    print(f"  square {error.square().mean().sqrt():.4f}; correlation with the exact values {agreement:.3f}")


def _timed(what: str, function: Callable[[], Result]) -> Result:
    started, used = time.perf_counter(), time.process_time()
    result = function()
    print(f"  {what:34} {time.perf_counter() - started:8.1f} s, of which computing {time.process_time() - used:.1f} s")
    return result


def _resident_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
