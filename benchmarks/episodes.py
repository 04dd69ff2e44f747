"""Episodes: second-order MAML and fine-tuning, against a plain loop.

Run by hand, from the project's root: python -m benchmarks.episodes [--shots 1 5] [--quick]
"""

import torch
from torch import Tensor

from benchmarks import naive, timing
from tgr import seeds
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.backbones.registry import build
from tgr.evaluation.protocols import finetune
from tgr.meta.learners import Episode, maml
from tgr.meta.nearest_mean import Task

N_WAY, N_QUERY, WIDTH, IMAGE_SIZE = 5, 15, 32, 32
INNER_LR = 0.01


def main() -> None:
    """Print times of both kinds of episodes for each shot, and how far the results lie apart."""
    options = timing.parser(__doc__, rounds=15)
    options.add_argument("--shots", type=int, nargs="+", default=[1, 5])
    options.add_argument("--inner-steps", type=int, default=5, help="of MAML (paper: 5)")
    options.add_argument("--test-steps", type=int, default=10, help="of fine-tuning (paper: 10)")
    arguments = options.parse_args()
    if arguments.quick:
        arguments.rounds = 2
    timing.begin(arguments)
    for shot in arguments.shots:
        ours = build("conv4", N_WAY, WIDTH, IMAGE_SIZE, "benchmark")
        plain = naive.conv4_like(ours)
        task = _task(shot)
        for title, variants in (
            (f"second-order MAML, {arguments.inner_steps} steps", _maml(ours, plain, task, arguments.inner_steps)),
            (f"fine-tuning, {arguments.test_steps} steps", _finetune(ours, plain, task, arguments.test_steps)),
        ):
            seconds = timing.interleaved(variants, arguments.rounds, arguments.clock)
            timing.compare(
                f"{title}, {N_WAY}-way {shot}-shot, {N_QUERY} queries a class, milliseconds", seconds, "ours"
            )
            print("  " + ", ".join(f"{name}: {_shown(variant())}" for name, variant in variants.items()))


def _task(shot: int) -> Task:
    generator = seeds.torch_generator("benchmark", "episode", shot)
    shapes = [(N_WAY, each, 3, IMAGE_SIZE, IMAGE_SIZE) for each in (shot, N_QUERY)]
    classes = torch.randn(N_WAY, 1, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    return Task(*(classes + torch.randn(shape, generator=generator) for shape in shapes))


def _plain(task: Task) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images = [part.flatten(0, 1).contiguous() for part in (task.support, task.query)]
    return images[0], task.support_labels, images[1], task.query_labels


def _maml(ours: Classifier, plain: Classifier, task: Task, steps: int) -> dict[str, timing.Variant]:
    episode = Episode(task.support_images, task.support_labels, task.query_images, task.query_labels)

    def fast() -> Tensor:
        ours.zero_grad()
        with batchnorm_mode(ours, "batch"):
            outcome = maml(ours, dict(ours.named_parameters()), episode, INNER_LR, steps)
        outcome.loss.backward()
        return _trunk_gradient(ours)

    def slow() -> Tensor:
        plain.zero_grad()
        naive.maml_loss(plain, *_plain(task), INNER_LR, steps).backward()
        return _trunk_gradient(plain)

    return {"ours": fast, "plain loop": slow}


def _trunk_gradient(model: Classifier) -> Tensor:
    """Return the gradient of what matters: a convolution's bias before BatchNorm has none but rounding."""
    parts = [p.grad for name, p in model.named_parameters() if not name.endswith("conv.bias") and p.grad is not None]
    return torch.cat([part.flatten() for part in parts])


def _finetune(ours: Classifier, plain: Classifier, task: Task, steps: int) -> dict[str, timing.Variant]:
    images = _plain(task)
    return {
        "ours": lambda: finetune(ours, Task(task.support, task.query), INNER_LR, [steps], "batch")[0],
        "plain loop": lambda: naive.finetune(plain, *images, INNER_LR, steps),
    }


def _shown(value: object) -> str:
    return f"gradient norm {float(value.norm()):.6f}" if isinstance(value, Tensor) else f"accuracy {value:.4f}"


if __name__ == "__main__":
    main()
