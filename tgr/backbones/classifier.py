"""What every backbone offers to the stages."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BatchNorm = nn.modules.batchnorm._BatchNorm
"""The base class of all BatchNorm layers, those of timm included."""


class Classifier(nn.Module):
    """A trunk that maps images to features, and a linear head.

    Args:
        trunk: maps normalised images (n, 3, size, size) to features (n, feature_dim).
        feature_dim: length of a feature vector.
        n_classes: outputs of the head.
    """

    def __init__(self, trunk: nn.Module, feature_dim: int, n_classes: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(feature_dim, n_classes)
        self.feature_dim = feature_dim

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, n_classes)."""
        return self.head(self.trunk(images))


def batchnorm_layers(model: nn.Module) -> list[BatchNorm]:
    """Return the BatchNorm layers in the order in which they were registered."""
    return [module for module in model.modules() if isinstance(module, BatchNorm)]


@contextmanager
def batchnorm_mode(model: nn.Module, mode: str) -> Iterator[None]:
    """Put a model into evaluation mode with BatchNorm on ``batch`` or ``running`` statistics; restore it afterwards.

    With ``batch`` the running statistics are neither used nor changed.
    """
    layers = batchnorm_layers(model)
    training = [(module, module.training) for module in model.modules()]
    tracking = [layer.track_running_stats for layer in layers]
    model.eval()
    for layer in layers:
        if mode == "batch":
            layer.train()
            layer.track_running_stats = False
    try:
        yield
    finally:
        for module, mode_before in training:
            module.training = mode_before
        for layer, tracked in zip(layers, tracking, strict=True):
            layer.track_running_stats = tracked


@contextmanager
def frozen(models: Iterable[nn.Module]) -> Iterator[None]:
    """Compute no gradients of the models' weights inside the block: that saves a third of a backward pass."""
    weights = [(weight, weight.requires_grad) for model in models for weight in model.parameters()]
    for weight, _ in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, trainable in weights:
            weight.requires_grad_(trainable)


@torch.no_grad()
def recalibrate_batchnorm(model: nn.Module, batches: list[Tensor]) -> None:
    """Replace the running statistics by the average over batches of normalised images, on the model's device."""
    layers = batchnorm_layers(model)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative average
    model.train()
    for batch in batches:
        model(batch)
    model.eval()
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
