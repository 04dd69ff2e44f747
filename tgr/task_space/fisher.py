"""Embedding of tasks: the diagonal Fisher information of the probe (Achille et al., Task2Vec, ICCV 2019, section 2)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from tqdm import tqdm

from tgr.artifacts import save_tensors
from tgr.backbones.probe import Probe, load_probe
from tgr.config.teachers import TaskSpace
from tgr.data.roots import square_root
from tgr.data.transforms import normalise, resize
from tgr.errors import TgrError
from tgr.inversion.recovered import load_recovered
from tgr.task_space.gradients import Layer, gradients_at, recording, squares_of, weight_layers

PIXELS_PER_CHUNK = 50 * 64 * 64
"""Pixels of one forward pass: all images of a teacher at the default settings, fewer for larger images."""


@dataclass(frozen=True)
class Head:
    """A linear classifier on the probe's features: weight (n_way, feature_dim), bias (n_way,)."""

    weight: Tensor
    bias: Tensor


def embed(probe: Probe, images: Tensor, labels: Tensor, config: TaskSpace) -> dict[str, Tensor]:
    """Embed the task of telling some images apart.

    Args:
        probe: the fixed network.
        images: uint8, (n, 3, size, size).
        labels: int64, (n,).
        config: image size, images of each class, and the granularity of the Fisher information.

    Returns:
        For each layer of the trunk a 1-D float32 tensor.

    Raises:
        TgrError: fewer than two classes, or values that are not finite.
    """
    chosen = first_of_each_class(labels, config.images_per_class)
    device = next(probe.trunk.parameters()).device
    inputs = normalise(resize(images[chosen], config.image_size), probe.mean, probe.std).to(device)
    chunk = max(1, PIXELS_PER_CHUNK // config.image_size**2)
    with torch.no_grad():
        features = torch.cat([probe.trunk(part) for part in inputs.split(chunk)])
    head = fit_head(features, labels[chosen])
    return fisher_information(probe.trunk, head, inputs, config.fisher, chunk)


def first_of_each_class(labels: Tensor, n_images: int) -> Tensor:
    """Return the indices of the first images of each class: all of a class that has fewer.

    Raises:
        TgrError: there is only one class.
    """
    classes = labels.unique()
    if len(classes) < 2:
        raise TgrError("task_space: a task needs recovered images of at least two classes")
    return torch.cat([torch.nonzero(labels == c).flatten()[:n_images] for c in classes])


def fit_head(features: Tensor, labels: Tensor) -> Head:
    """Fit multinomial logistic regression, with an L2 penalty, on features (n, d) scaled to unit RMS.

    The penalty keeps the fit of few images in many dimensions unique and its predictions uncertain; certain ones would
    have no Fisher information.
    """
    scale = features.square().mean().sqrt().clamp(min=torch.finfo(features.dtype).tiny)
    with threadpool_limits(1):  # the same rounding whatever the number of cores
        fitted = LogisticRegression(max_iter=1000).fit((features / scale).cpu().double().numpy(), labels.cpu().numpy())
    weight, bias = fitted.coef_, fitted.intercept_
    if len(weight) == 1:  # two classes: scikit-learn gives the logit of the second
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    weight, bias = (torch.from_numpy(value).to(features) for value in (weight, bias))
    return Head(weight / scale, bias)


def fisher_information(trunk: nn.Module, head: Head, images: Tensor, fisher: str, chunk: int) -> dict[str, Tensor]:
    """Return the diagonal of the Fisher information of the trunk's convolution and linear weights.

    F_w = mean over images x of sum over classes y of p(y|x) (d log p(y|x) / dw)^2: the expectation over the model's own
    predictions is exact, so no label is drawn. Biases, normalisation layers and the head are left out.

    Args:
        trunk: in evaluation mode, its parameters without gradients.
        head: the classifier on its features.
        images: normalised, (n, 3, size, size).
        fisher: ``filter`` (mean over the weights of each output channel) or ``parameter``.
        chunk: images of one forward pass; bounds the memory.

    Raises:
        TgrError: the trunk has layers that are not covered, or values that are not finite.
    """
    layers = weight_layers(trunk)
    totals: dict[str, Tensor] = {}
    for part in images.split(chunk):
        for name, value in _sum_over_images(trunk, head, part, layers, fisher == "filter").items():
            totals[name] = totals[name] + value if name in totals else value
    information = {f"{name}.weight": total / len(images) for name, total in totals.items()}
    for name, value in information.items():
        if not torch.isfinite(value).all():
            raise TgrError(f"task_space: the Fisher information of {name} is not finite; check the probe's weights")
    return information


def _sum_over_images(
    trunk: nn.Module, head: Head, images: Tensor, layers: dict[str, Layer], per_filter: bool
) -> dict[str, Tensor]:
    with torch.enable_grad(), recording(layers) as records:
        logits = nn.functional.linear(trunk(images), head.weight, head.bias)
    outputs = [record.outputs[0] for record in records.values()]
    squares = [squares_of(record.layer, record.inputs[0], per_filter) for record in records.values()]
    sums = [torch.zeros((), dtype=images.dtype, device=images.device)] * len(records)
    for column in covariance_factor(logits.detach().softmax(1)).unbind(-1):
        gradients = gradients_at(outputs, logits, column)
        sums = [total + square(gradient) for total, square, gradient in zip(sums, squares, gradients, strict=True)]
    return dict(zip(records, sums, strict=True))


def covariance_factor(probabilities: Tensor) -> Tensor:
    """Return L (n, k, k - 1) with L L^T = diag(p) - p p^T, for probabilities p (n, k).

    That is the Fisher information at the logits: E_y[g g^T] for g the gradient of log p(y). Its rank is k - 1, so k - 1
    backward passes replace k. Closed form: Tanabe and Sagae, An exact Cholesky decomposition [...] of the multinomial
    covariance, J. R. Statist. Soc. B 54, 1992.
    """
    p = probabilities.double()
    tail = p.flip(1).cumsum(1).flip(1).clamp(min=torch.finfo(p.dtype).tiny)  # q_j = p_j + ... + p_k
    diagonal = square_root(p[:, :-1] * tail[:, 1:] / tail[:, :-1])
    below = -p[:, :, None] / tail[:, None, 1:] * diagonal[:, None, :]
    factor = below.tril(-1)
    factor.diagonal(dim1=1, dim2=2).copy_(diagonal)
    return factor.to(probabilities)


def embed_shard(
    *, recovered: Path, teachers: Path, task_space: TaskSpace, embeddings: Path, device: torch.device
) -> None:
    """Embed the teachers of a shard by their recovered images, one file a teacher in the folder ``embeddings``.

    Raises:
        TgrError: recovered images or the probe's weights are missing or damaged.
    """
    probe = load_probe(task_space, device)
    embeddings.mkdir(parents=True)
    about = {"probe": probe.name, "weights": probe.weights, "weights_sha256": probe.sha256, "fisher": task_space.fisher}
    for one in tqdm(load_recovered([recovered], [teachers]), desc="embedding", unit="teacher"):
        embedding = embed(probe, one.images, one.labels, task_space)
        metadata = {**about, "image_size": task_space.image_size, "key": one.card.key}
        save_tensors(embeddings / f"{one.card.name}.safetensors", embedding, metadata)
