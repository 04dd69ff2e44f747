"""Unit costs of a GPU: from the steps that ``benchmarks/gpu.py`` measured on one, or a guess."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from tgr.config.base import Section
from tgr.plan.units import Units, read_costs

COMMAND = "python -m benchmarks.gpu costs"
ON_DEVICE = (
    "forward_image",
    "train_image",
    "invert_image",
    "generator_image",
    "step_overhead",
    "embed_image",
    "compare_value",
    "compare_landmark_value",
)
"""Unit costs of work that a GPU does."""
Sizes = Annotated[dict[PositiveInt, PositiveFloat], Field(min_length=1)]
"""Milliseconds of a step, by its images."""
SeveralSizes = Annotated[dict[PositiveInt, PositiveFloat], Field(min_length=2)]
"""The same where what a step takes however few its images is told from what an image adds."""


class Steps(Section):
    """Milliseconds of a step of the reference network (Conv4 of 32 channels at 32 px), by stage and images.

    ``second_order`` is an episode of MAML, ``first_order`` the same one without second derivatives;
    ``inversion_generator`` is a step of the whole engine, whose generator has 64 channels.
    """

    training: SeveralSizes
    prediction: SeveralSizes
    inversion: SeveralSizes
    inversion_generator: Sizes
    first_order: Sizes
    second_order: Sizes
    embedding: Sizes


class GpuCosts(Section):
    """What ``command`` measured on ``machine``."""

    command: str
    machine: str
    step_ms: Steps

    def measured(self) -> dict[str, float]:
        """Return the unit costs in seconds, by their names in ``Units``."""
        steps = self.step_ms
        train, overhead = _line(steps.training)
        invert, invert_overhead = _line(steps.inversion)
        recovered = max(steps.inversion_generator)
        generator = steps.inversion_generator[recovered] / 1000 - recovered * invert - invert_overhead
        return {
            "train_image": train,
            "step_overhead": overhead,
            "forward_image": _line(steps.prediction)[0],
            "invert_image": invert,
            "invert_overhead": invert_overhead,
            "generator_image": max(0.0, generator / recovered),
            "second_order": _image(steps.second_order) / _image(steps.first_order),
            "embed_image": _image(steps.embedding),
        }


def load_gpu_costs(file: Path) -> GpuCosts:
    """Read what was measured on a GPU.

    Raises:
        TgrError: it is missing, damaged, or another file.
    """
    return read_costs(file, GpuCosts, COMMAND)


def on_gpu(units: Units, gpu: GpuCosts | None) -> Units:
    """Return the unit costs of a GPU; what was not measured is taken to be as many times faster as ``assumed`` says."""
    guessed = {name: getattr(units, name) / units.assumed["gpu_speedup"] for name in ON_DEVICE}
    return units.model_copy(update=guessed | (gpu.measured() if gpu else {}))


def _line(sizes: dict[int, float]) -> tuple[float, float]:
    """Return the seconds that an image adds, and those of a step without any, from the smallest and largest size."""
    few, many = min(sizes), max(sizes)
    image = max(0.0, (sizes[many] - sizes[few]) / (many - few))
    return image / 1000, max(0.0, sizes[few] - few * image) / 1000


def _image(sizes: dict[int, float]) -> float:
    """Return the seconds of an image in a step of the largest size."""
    return sizes[max(sizes)] / max(sizes) / 1000
