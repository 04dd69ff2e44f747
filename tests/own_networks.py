"""Networks of a user's own code, as architectures ``python:tests.own_networks:<name>`` name them."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """A network that ends with a linear layer, ``trunk`` and ``head`` are names of its own."""

    def __init__(self, n_classes: int, channels: int = 8, bias: bool = True) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(3, channels, 3, 2, 1)
        self.classifier = nn.Sequential(nn.Linear(4 * channels, 16), nn.ReLU(), nn.Linear(16, n_classes, bias=bias))
        self.head = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        maps = nn.functional.adaptive_avg_pool2d(self.head(self.trunk(images)).relu(), 2)
        return self.classifier(self.drop(maps.flatten(1)))


class Halved(Net):
    """What it returns is not what its last layer gives."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) / 2


class Reused(Net):
    """Its last layer has a second use inside."""

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.classifier[0](images.mean((2, 3)).repeat(1, 11)[:, :32])
        return self.classifier[2](hidden + self.classifier[2](hidden).sum(1, keepdim=True))


class Careless(Net):
    """It draws at random even in evaluation mode."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(images))


class Centred(Net):
    """An image's logits depend on the whole batch."""

    def forward(self, images: Tensor) -> Tensor:
        logits = super().forward(images)
        return logits - logits.mean(0)


class Sure(Net):
    """It returns probabilities."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(1)


class Wide(Net):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[:, :, None]


class Matched(Net):
    """It looks at its last layer's weights before it uses it."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.to(self.classifier[2].weight.dtype))


class Small(Net):
    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-1] != 16:
            raise ValueError("sixteen pixels\nor none")
        return super().forward(images)


def make(num_classes: int, image_size: int, **options: int) -> nn.Module:
    """Take the other name of the classes, and the size."""
    assert image_size == 16
    return Net(num_classes, **options)


def anything(**keys: int) -> nn.Module:
    return Net(keys["num_classes"])


def nameless(classes: int) -> nn.Module:
    return Net(classes)


def no_network(n_classes: int) -> Tensor:
    return torch.zeros(n_classes)


number = 3
