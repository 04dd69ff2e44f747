"""Conv4, the few-shot standard (Vinyals et al., Matching Networks, NeurIPS 2016)."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from tgr.backbones.fitting import Spelling
from tgr.errors import TgrError


class Block(nn.Module):
    """3x3 convolution, BatchNorm, 2x2 max-pooling, ReLU.

    Pooling stands before ReLU, which commutes with it and then has a quarter of the work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, outputs, h // 2, w // 2) of x (n, inputs, h, w)."""
        return self.pool(self.norm(self.conv(x))).relu()


def trunk(width: int, image_size: int) -> tuple[nn.Module, int]:
    """Return the trunk and its feature length, ``width * (image_size // 16) ** 2``.

    Raises:
        TgrError: images are too small.
    """
    if image_size < 16:
        raise TgrError(f"architecture conv4 halves images four times: {image_size} px is too small, use 16 or more")
    blocks = [Block(3 if i == 0 else width, width) for i in range(4)]
    return nn.Sequential(*blocks, nn.Flatten()), width * (image_size // 16) ** 2


def spellings(names: Iterable[str]) -> list[Spelling]:
    """Return how the releases of TGR, FREE and BiDf-MKD name the tensors of a classifier with this trunk.

    Each block holds its layers twice there, by their own names and in a sequence, which is what loading ends with.

    Args:
        names: those of the classifier.
    """

    def renamed(conv: str, norm: str) -> dict[str, str]:
        layers = {"conv": conv, "norm": norm}
        return {_released_name(name, layers): name for name in names}

    return [
        Spelling(renamed("trunk.0", "trunk.1"), ignored=r"trunk\.\d\.(C|BN)\."),
        Spelling(renamed("C", "BN"), ignored=r"trunk\.\d\.trunk\."),
    ]


def _released_name(name: str, layers: Mapping[str, str]) -> str:
    """The head is the last layer of their trunk, behind four blocks and a flattening."""
    part, *path = name.split(".")
    return ".".join(["trunk", "5", *path] if part == "head" else [part, path[0], layers[path[1]], *path[2:]])
