"""A step of pre-training: kernel after kernel, as a CUDA graph, and for several teachers stacked in one network.

Run by hand, from the project's root: python -m benchmarks.stacks [--device cuda] [--quick]
Graphs are measured on CUDA alone. Teachers are stacked by `torch.func`: their weights have one more axis, over which
`vmap` maps the network of one of them, so a step has as many kernels for many teachers as for a few. Their tasks must
have equally many images, which those of some pools have not.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import timing
from tgr import devices, launches, seeds
from tgr.backbones.classifier import Classifier
from tgr.backbones.registry import build
from tgr.config.teachers import Pretrain
from tgr.data.transforms import normalise
from tgr.pool.pretrain import Split, batch_loss, draw_batches, make_optimizer, training_step

N_WAY, N_IMAGES, IMAGE_SIZE = 5, 320, 32
ALONE, RECORDED, STACKED, STACKED_RECORDED = "one by one", "one by one, graphs", "stacked", "stacked, a graph"
BY_CUDA = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch")
"""What CUDA calls a launch."""
VIEWS = {"view", "_unsafe_view", "as_strided", "detach", "t", "transpose", "permute", "expand", "slice", "select"} | {
    *("unsqueeze", "squeeze", "split", "unbind", "alias", "empty", "empty_like", "empty_strided", "new_empty_strided"),
    *("_record_function_enter_new", "_record_function_exit"),
}
"""Operators without a kernel."""
Draw = Callable[[], Any]
Run = Callable[[Any], object]
"""What draws the steps of all teachers, and what does them."""


def main() -> None:
    """Print what a step of some teachers takes, and how many launches it is."""
    options = timing.parser(__doc__, rounds=7)
    options.add_argument("--device", default="cpu")
    options.add_argument("--teachers", type=int, nargs="+", default=[1, 4, 16])
    options.add_argument("--batch", type=int, default=32, help="images of a teacher in a step")
    options.add_argument("--width", type=int, default=32)
    options.add_argument("--steps", type=int, default=20, help="in one timing")
    arguments = options.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.steps, arguments.teachers, arguments.width = 1, 2, [2], 8
    timing.begin(arguments)
    device = devices.resolve(arguments.device)
    devices.prepare(device, "ieee")
    print(devices.describe(device) or f"device {device}: operators with a kernel are counted in the place of launches")
    names = [ALONE, RECORDED, STACKED, STACKED_RECORDED] if device.type == "cuda" else [ALONE, STACKED]
    for count in arguments.teachers:
        steps = {name: prepare(name, count, device, arguments) for name in names}
        variants = {name: repeated(*step, device, arguments.steps) for name, step in steps.items()}
        title = f"a step of {count} teachers, {arguments.batch} images each, Conv4 of {arguments.width}"
        timing.compare(title, timing.interleaved(variants, arguments.rounds, arguments.clock), ALONE, arguments.steps)
        for name, step in steps.items():
            print(f"  {name:34} {count_launches(*step, device):10} launches")


def prepare(name: str, count: int, device: torch.device, arguments: argparse.Namespace) -> tuple[Draw, Run]:
    """Return a function that draws a step of each teacher, and one that does it; graphs are recorded."""
    config = Pretrain(epochs=10**6, batch_size=arguments.batch, lr=0.005, label_smoothing=0.1, crop_shift=0.0625)
    models = [build("conv4", N_WAY, arguments.width, IMAGE_SIZE, "stacks", i).to(device).train() for i in range(count)]
    tasks = [make_task(index) for index in range(count)]
    images = [normalise(task.images.to(device), [0.5] * 3, [0.25] * 3) for task in tasks]
    labels = [task.labels.to(device) for task in tasks]
    draws = [draw_batches(task, config, True, seeds.torch_generator("draws", i)) for i, task in enumerate(tasks)]
    launches.choose("graph" if name in (RECORDED, STACKED_RECORDED) else "eager")
    if name in (STACKED, STACKED_RECORDED):
        stack = Stack(models, torch.stack(images), torch.stack(labels), config)
        run: Run = launches.runner(stack.step, stack.optimizer, device)

        def draw() -> Any:
            return next_batches(draws)

    else:
        optimizers = [make_optimizer(model.parameters(), config) for model in models]
        runs = [
            launches.runner(training_step(*parts, config), parts[1], device)
            for parts in zip(models, optimizers, images, labels, strict=True)
        ]

        def draw() -> Any:
            return [next(own) for own in draws]

        def run(drawn: Any) -> object:
            return [run_one(own) for run_one, own in zip(runs, drawn, strict=True)]

    for _ in range(launches.WARM_UP + 1):
        run(draw())
    return draw, run


def make_task(index: int) -> Split:
    """Return images of noise with labels."""
    noise = torch.randint(0, 256, (N_IMAGES, 3, IMAGE_SIZE, IMAGE_SIZE), generator=seeds.torch_generator("task", index))
    return Split(noise.to(torch.uint8), torch.arange(N_IMAGES) % N_WAY)


def next_batches(draws: Sequence[Iterator[Tensor]]) -> Tensor:
    """Return the next draws of some teachers, stacked: int64 (teachers, n, 4). Each has a generator of its own."""
    return torch.stack([next(own) for own in draws])


class Stack:
    """Teachers whose step is one.

    Args:
        models: in training mode, on a device; their weights are copied.
        images: normalised (teachers, n, 3, size, size), there.
        labels: int64 (teachers, n), there.

    Attributes:
        parameters, buffers: those of the models by their names, with the teachers as the first axis.
        optimizer: of the parameters.
    """

    def __init__(self, models: Sequence[Classifier], images: Tensor, labels: Tensor, config: Pretrain) -> None:
        self._network, self._images, self._labels, self._config = models[0], images, labels, config
        self.parameters, self.buffers = stack_module_state(list(models))
        self.optimizer = make_optimizer(self.parameters.values(), config)

    def step(self, drawn: Tensor) -> tuple[Tensor]:
        """Train all teachers by one batch each: from (teachers, n, 4) to their losses (teachers,)."""
        losses = vmap(self._loss)(self.parameters, self.buffers, self._images, self._labels, drawn)
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        return (losses.detach(),)

    def _loss(self, parameters: Any, buffers: Any, images: Tensor, labels: Tensor, drawn: Tensor) -> Tensor:
        def network(batch: Tensor) -> Tensor:
            return functional_call(self._network, (parameters, buffers), (batch,))

        return batch_loss(network, images, labels, drawn, self._config)


def repeated(draw: Draw, run: Run, device: torch.device, steps: int) -> timing.Variant:
    """Return a function that does so many steps and waits for them."""

    def variant() -> None:
        for _ in range(steps):
            run(draw())
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return variant


def count_launches(draw: Draw, run: Run, device: torch.device) -> int:
    """Return how often the CPU launches something in a step; without CUDA, how many operators with a kernel it has."""
    drawn = draw()
    if device.type != "cuda":
        with Operators() as operators:
            run(drawn)
        return operators.count
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as recorded:
        run(drawn)
        torch.cuda.synchronize(device)
    return sum(event.count for event in recorded.key_averages() if event.key in BY_CUDA)


class Operators(TorchDispatchMode):
    """Counts operators that a GPU would have a kernel for."""

    count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator."""
        self.count += function._schema.name.split("::")[1] not in VIEWS
        return function(*args, **(kwargs or {}))


if __name__ == "__main__":
    main()
