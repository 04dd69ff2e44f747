"""Plain forms of what the library computes: the references of the measurements.

They are written as one writes them first: modules and tensors in PyTorch's default layout, ReLU before pooling, the
whole graph kept where something is differentiated through, a copy of the model and an optimiser for each episode.
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, pad

from tgr.backbones.classifier import Classifier, batchnorm_layers
from tgr.inversion.generator import Generator

Parameters = dict[str, Tensor]


class Block(nn.Module):
    """3x3 convolution, BatchNorm on batch statistics, ReLU, 2x2 max-pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of half the size."""
        return nn.functional.max_pool2d(self.norm(self.conv(x)).relu(), 2)


def conv4_like(model: Classifier, mode: str = "batch") -> Classifier:
    """Return a Conv4 in PyTorch's default layout with the weights of ours, BatchNorm on batch or running statistics."""
    width = model.trunk[0].conv.out_channels
    blocks = [Block(3 if i == 0 else width, width) for i in range(4)]
    plain = Classifier(nn.Sequential(*blocks, nn.Flatten()), model.feature_dim, model.head.out_features)
    plain.load_state_dict(model.state_dict())
    for layer in batchnorm_layers(plain) if mode == "batch" else []:
        layer.running_mean = layer.running_var = layer.num_batches_tracked = None
        layer.track_running_stats = False
    for parameter in plain.parameters():
        parameter.data = parameter.data.contiguous()
    return plain.train(mode == "batch")


def regularised_gradient(
    losses: Sequence[Callable[[Parameters], Tensor]], parameters: Parameters, strength: float
) -> Parameters:
    """Return the gradient of mean_i L_i(theta + strength (g_i - gbar)), through the displacement, from one graph."""
    names, theta = list(parameters), list(parameters.values())
    each = [torch.autograd.grad(loss(parameters), theta, create_graph=True) for loss in losses]
    mean = [torch.stack(parts).mean(0) for parts in zip(*each, strict=True)]
    displaced = [
        loss({n: p + strength * (g - m) for n, p, g, m in zip(names, theta, own, mean, strict=True)})
        for loss, own in zip(losses, each, strict=True)
    ]
    return dict(zip(names, torch.autograd.grad(torch.stack(displaced).mean(), theta), strict=True))


def maml_loss(
    model: nn.Module,
    support: Tensor,
    labels: Tensor,
    query: Tensor,
    query_labels: Tensor,
    lr: float,
    steps: int,
) -> Tensor:
    """Return the query loss after some inner steps, differentiable with respect to the model's parameters."""
    adapted: Parameters = dict(model.named_parameters())
    for _ in range(steps):
        loss = cross_entropy(functional_call(model, adapted, (support,)), labels)
        gradients = torch.autograd.grad(loss, list(adapted.values()), create_graph=True)
        adapted = {name: p - lr * g for (name, p), g in zip(adapted.items(), gradients, strict=True)}
    return cross_entropy(functional_call(model, adapted, (query,)), query_labels)


def finetune(
    model: nn.Module,
    support: Tensor,
    labels: Tensor,
    query: Tensor,
    query_labels: Tensor,
    lr: float,
    steps: int,
) -> float:
    """Return the query accuracy of a copy of the model after some steps of SGD on the support set."""
    adapted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(adapted.parameters(), lr=lr)
    for _ in range(steps):
        loss = cross_entropy(adapted(support), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return (adapted(query).argmax(1) == query_labels).float().mean().item()


def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of each channel of x (n, c, h, w)."""
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    return mean, variance


def invert_by_generator(teacher: Classifier, labels: Tensor, steps: int) -> Tensor:
    """Return images by the paper's recipe: a generator of 64 channels, Adam, the statistics of all BatchNorm layers."""
    network = Generator(256, 64, 32).to(memory_format=torch.contiguous_format).train()
    codes = torch.randn(len(labels), 256).requires_grad_()
    optimizer = torch.optim.Adam([*network.parameters(), codes], lr=1e-3, betas=(0.5, 0.999))
    distances: list[Tensor] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        mean, variance = channel_statistics(inputs[0])
        distances.append((variance - layer.running_var).norm() + (mean - layer.running_mean).norm())

    handles = [layer.register_forward_hook(record) for layer in batchnorm_layers(teacher)]
    lowest, best = float("inf"), torch.empty(0)
    for _ in range(steps):
        distances.clear()
        images = network(codes)
        shifted = pad(images, (4, 4, 4, 4))[:, :, :32, :32].flip(3)  # costs what a random crop and flip cost
        loss = cross_entropy(teacher((shifted - 0.5) / 0.25), labels) + 3 * torch.stack(distances).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < lowest:
            lowest, best = loss.item(), images.detach()
    for handle in handles:
        handle.remove()
    return best
