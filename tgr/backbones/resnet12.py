"""ResNet-12, the residual network of few-shot learning: four blocks of three convolutions.

Oreshkin et al., TADAM, NeurIPS 2018, introduced it; the widths and the leaky ReLU are those of Lee et al., MetaOptNet,
CVPR 2019: ``width`` 64 gives their 64, 160, 320 and 640 channels. Features are averaged over the image, as in TADAM;
MetaOptNet keeps all places, which makes the head 25 times as large at 84 pixels.

DropBlock is left out. It regularises long training on all base classes at once; here teachers learn five classes in a
few epochs, and it would be off wherever teachers and meta-models are asked anything.
"""

from itertools import pairwise

from torch import Tensor, nn

from tgr.errors import TgrError

SLOPE = 0.1


class Block(nn.Module):
    """Three 3x3 convolutions with BatchNorm, added to a 1x1 convolution with BatchNorm; then 2x2 max-pooling.

    Pooling stands before the last leaky ReLU, which commutes with it and then has a quarter of the work.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (inputs, outputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
            layers += [nn.LeakyReLU(SLOPE)]
        self.residual = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, outputs, h // 2, w // 2) of x (n, inputs, h, w)."""
        return nn.functional.leaky_relu(self.pool(self.residual(x) + self.shortcut(x)), SLOPE)


def trunk(width: int, image_size: int) -> tuple[nn.Module, int]:
    """Return a trunk of blocks with 1, 2.5, 5 and 10 times ``width`` channels, and its feature length, ``10 * width``.

    Raises:
        TgrError: images are too small.
    """
    if image_size < 16:
        raise TgrError(f"architecture resnet12 halves images four times: {image_size} px is too small, use 16 or more")
    channels = [3, width, width * 5 // 2, width * 5, width * 10]
    blocks = [Block(inputs, outputs) for inputs, outputs in pairwise(channels)]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels[-1]
