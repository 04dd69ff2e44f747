"""Unit costs: what an image, a step, a job takes, as measured once (``tgr/resources/unit_costs.json``)."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from tgr.artifacts import read_json
from tgr.config.base import Section
from tgr.errors import TgrError
from tgr.plan.networks import Network, named

FILE = Path(__file__).parents[1] / "resources" / "unit_costs.json"
GENERATOR_WIDTH, GENERATOR_PIXELS = 64, 32
"""Channels, and height of the images, of the generator that was measured."""
REFERENCE = named("conv4", 32, 32)
"""Conv4 of 32 channels at 32 px: image costs are its own, and scale with the multiplications of other networks."""
Costs = TypeVar("Costs", bound=Section)


class Units(Section):
    """Seconds of one core, measured by ``command`` on ``machine``; ``assumed`` keys are not measured.

    ``families``: seconds for a multiplication of a network of the family, relative to Conv4's; a family that is not
    listed is taken for Conv4's. All images are those of the reference network. ``invert_overhead``: of a step of
    inversion, however few its images; on a CPU it is in ``invert_image``, measured with as many images as are in use.
    """

    command: str
    machine: str
    job_start: float
    load_image: float
    forward_image: float
    train_image: float
    invert_image: float
    invert_overhead: float = 0.0
    generator_image: float
    second_order: float
    step_overhead: float
    embed_image: float
    compare_value: float
    compare_landmark_value: float
    figure: float
    families: dict[str, float]
    memory_mb: dict[str, float]
    assumed: dict[str, float]

    def forward(self, network: Network) -> float:
        """Seconds of one image's forward pass."""
        return self.forward_image * self._relative(network)

    def train(self, network: Network) -> float:
        """Seconds of one image's forward and backward pass."""
        return self.train_image * self._relative(network)

    def invert(self, network: Network) -> float:
        """Seconds of one step on one image whose pixels are optimised."""
        return self.invert_image * self._relative(network)

    def generate(self, width: int, pixels: int) -> float:
        """Seconds of one step on one image that comes from a generator of some channels, without its teacher.

        The exponent is what widths of 16 and 64 took: outer layers grow with the width, inner ones with its square.
        """
        return self.generator_image * (width / GENERATOR_WIDTH) ** 1.5 * (pixels / GENERATOR_PIXELS) ** 2

    def multiplications(self, count: float) -> float:
        """Seconds of some multiplications of matrices, which are taken to be as fast as those of a forward pass."""
        return self.forward_image * count / (1e6 * REFERENCE.macs)

    def _relative(self, network: Network) -> float:
        return network.macs / REFERENCE.macs * self.families.get(network.family, 1.0)


def load_units(file: Path = FILE) -> Units:
    """Read the table.

    Raises:
        TgrError: it is missing or damaged.
    """
    return read_costs(file, Units, "python -m benchmarks.unit_costs")


def read_costs(file: Path, kind: type[Costs], command: str) -> Costs:
    """Read a file of costs that a command makes.

    Raises:
        TgrError: it is missing, damaged, or another file.
    """
    try:
        return kind.model_validate(read_json(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ": ".join([str(file), *filter(None, [".".join(str(part) for part in first["loc"] if part != "[key]")])])
        raise TgrError(f"{where}: {first['msg']}; make it by `{command}`") from error
