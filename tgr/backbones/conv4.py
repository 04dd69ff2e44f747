"""Conv4, the few-shot standard (Vinyals et al., Matching Networks, NeurIPS 2016)."""

from torch import Tensor, nn

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
