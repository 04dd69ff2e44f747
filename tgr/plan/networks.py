"""How large a network is, from its name alone: nothing here imports torch."""

from dataclasses import dataclass

from tgr.config.base import Section


@dataclass(frozen=True)
class Network:
    """What a network costs.

    Attributes:
        family: ``conv4``, ``resnet`` or ``timm``: networks of a family take the same time for a multiplication.
        macs: millions of multiplications (and additions) of one image's forward pass.
        parameters: millions of weights.
        outputs: millions of values that the convolutions of one image give: what training keeps in memory.
        known: False if a timm model is not in the table and was taken for a ResNet-18.
    """

    family: str
    macs: float
    parameters: float
    outputs: float
    known: bool = True

    def training_mb(self, images: float) -> float:
        """MB that a forward pass of some images keeps for the backward pass: three copies of each output."""
        return images * self.outputs * 3 * FLOAT


FLOAT = 4


TIMM = {
    "efficientnet_b0": (0.0076, 5.3),
    "lcnet_050": (0.00095, 1.9),
    "lcnet_100": (0.0031, 3.0),
    "mobilenetv3_small_100": (0.0011, 2.5),
    "resnet10t": (0.022, 5.4),
    "resnet18": (0.0362, 11.7),
    "resnet34": (0.0732, 21.8),
    "resnet50": (0.0819, 25.6),
    "test_convnext": (0.0011, 0.3),
    "test_efficientnet": (0.0014, 0.4),
    "test_resnet": (0.0013, 0.5),
    "test_vit": (0.0025, 0.4),
    "tf_efficientnet_lite0": (0.0077, 4.7),
}
"""Millions of multiplications a pixel of the input, and millions of weights."""
UNKNOWN = TIMM["resnet18"]
OUTPUTS_OF_TIMM = 1 / 150
"""Outputs for each multiplication, roughly; Conv4 has 1/90, a ResNet-18 of 64 channels 1/700."""


def network(section: Section, image_size: int, n_classes: int = 5) -> Network:
    """Return the network that a section with ``architecture`` and ``width`` (a pool, a meta-model) describes."""
    architecture, width = str(getattr(section, "architecture")), int(getattr(section, "width"))  # noqa: B009
    return named(architecture, width, image_size, n_classes)


def named(architecture: str, width: int, image_size: int, n_classes: int = 5) -> Network:
    """Return the network of an architecture's name."""
    if architecture.startswith("timm:"):
        name = architecture.removeprefix("timm:")
        macs, parameters = TIMM.get(name, UNKNOWN)
        macs = macs * image_size**2
        return Network("timm", macs, parameters, macs * OUTPUTS_OF_TIMM, name in TIMM)
    if architecture == "conv4":
        return _conv4(width, image_size, n_classes)
    return _resnet(1 if architecture == "resnet10" else 2, width, image_size)


def _conv4(width: int, size: int, n_classes: int) -> Network:
    macs = parameters = outputs = 0.0
    inputs = 3
    for _ in range(4):
        weights = 9 * inputs * width
        macs, parameters = macs + weights * size**2, parameters + weights + 3 * width
        outputs += width * size**2
        inputs, size = width, size // 2
    head = width * size**2 * n_classes
    return Network("conv4", macs / 1e6, (parameters + head) / 1e6, outputs / 1e6)


def _resnet(blocks: int, width: int, size: int) -> Network:
    macs, parameters, outputs = 27.0 * width * size**2, 27.0 * width, 1.0 * width * size**2
    inputs = width
    for stage in range(4):
        channels, size = width << stage, -(-size // 2) if stage else size
        weights = 9 * (inputs * channels + (2 * blocks - 1) * channels**2)
        weights += inputs * channels if inputs != channels else 0
        macs, parameters = macs + weights * size**2, parameters + weights
        outputs += 2 * blocks * channels * size**2
        inputs = channels
    return Network("resnet", macs / 1e6, parameters / 1e6, outputs / 1e6)
