"""Inversion in chunks against all images at once, in float64: loss and gradient of the whole set."""

from collections.abc import Iterator
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from tests.teachers import make_card
from tgr import seeds
from tgr.backbones.classifier import batchnorm_layers
from tgr.backbones.memory import chunk_size, kept_mb
from tgr.backbones.probe import Probe
from tgr.backbones.registry import build
from tgr.backbones.size import count_outputs
from tgr.config.teachers import Inversion
from tgr.inversion.objective import draw, images_at_a_time, objective
from tgr.inversion.priors import distance_from_grey, total_variation
from tgr.inversion.registry import get
from tgr.inversion.stage import invert_teacher
from tgr.pool.teacher import Teacher

SIZE, LABELS = 16, torch.arange(11) % 3
CHUNKS = [1, 5]
"""Of eleven images; if five fit, they go in chunks of 4, 4 and 3."""


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def shaken(model: nn.Module) -> nn.Module:
    """Give BatchNorm layers statistics, scales and shifts of their own."""
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in batchnorm_layers(model):
            for value, low, high in (
                (layer.running_mean, -1, 1),
                (layer.running_var, 0.5, 2),
                (layer.weight, 0.5, 2),
                (layer.bias, -1, 1),
            ):
                value.uniform_(low, high, generator=draws)
    return model.eval()


def teacher(architecture: str) -> Teacher:
    card = make_card(architecture=architecture, image_size=SIZE)
    model = build(architecture, 3, 8, SIZE, "chunks").double()
    return Teacher(card, shaken(model))


def probe() -> Probe:
    with seeds.forked("chunks"):
        trunk = shaken(timm.create_model("test_resnet", num_classes=0).double())
    return Probe("test_resnet", "random", "", trunk, (0.5,) * 3, (0.2,) * 3)


def memory(one: Teacher, size: int) -> float:
    """MB with which so many images go through a teacher at a time."""
    return 1.001 * kept_mb(count_outputs(one.model, SIZE), size)


def descended(one: Teacher, size: int, priors: bool = True, **changes: Any) -> tuple[Tensor, Tensor]:
    """Return the loss, and the gradient of images that depend on a leaf."""
    config = Inversion.model_validate({"crop_pad": 2, "memory_mb": memory(one, size), **changes})
    leaf = torch.rand(11, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weighed = [(2.0, total_variation), (0.5, distance_from_grey)] if priors else []
    draws = torch.Generator().manual_seed(2)
    with objective(one, LABELS, config, probe() if config.probe_weight else None) as descend:
        descend(leaf.square(), weighed, draw(one, LABELS, config, draws))
        loss = descend(leaf.square(), weighed, draw(one, LABELS, config, draws))  # gradients of two calls add up
    assert leaf.grad is not None
    return loss, leaf.grad


@pytest.mark.parametrize("size", CHUNKS)
@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("conv4", {}),
        ("conv4", {"bn_distance": "absolute"}),
        ("conv4", {"bn_weight": 0}),
        ("conv4", {"probe_weight": 0.3, "bn_weight": 0}),
        ("resnet10", {"probe_weight": 0.3}),
        ("timm:test_efficientnet", {}),
        ("timm:test_vit", {}),
    ],
)
def test_chunks_give_loss_and_gradient_of_the_whole(architecture: str, changes: dict[str, Any], size: int) -> None:
    """timm's BatchNorm layers hold an activation, and a vision transformer has none."""
    if architecture == "timm:test_vit":
        one = Teacher(
            make_card(architecture=architecture, image_size=SIZE),
            build(architecture, 3, 8, SIZE, "chunks", options={"patch_size": 4}).double().eval(),
        )
    else:
        one = teacher(architecture)
    whole, expected = descended(one, 11, **changes)
    loss, gradient = descended(one, size, **changes)
    torch.testing.assert_close(loss, whole, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-12)
    assert not torch.equal(gradient, expected), "the chunks were one"


@pytest.mark.parametrize("engine", ["pixel", "generator"])
def test_engines_recover_the_same_images_in_chunks(engine: str) -> None:
    one = teacher("conv4")
    made = []
    for size in (11, 5):
        config = Inversion(engine=engine, steps=3, memory_mb=memory(one, size), latent_dim=8, generator_width=4)
        made.append(get(engine)(one, LABELS, config, None, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(made[0], made[1], rtol=1e-6, atol=1e-8)


def test_reports_are_those_of_the_whole() -> None:
    one = teacher("conv4")
    reports = []
    for size in (12, 5):
        config = Inversion(steps=2, images_per_class=4, memory_mb=memory(one, size))
        recovered = invert_teacher(one, config)
        reports.append((recovered.report.model_dump(exclude={"wall_seconds", "sha256"}), recovered.logits))
    assert reports[0][0] == reports[1][0]
    torch.testing.assert_close(reports[0][1], reports[1][1])


def test_the_teacher_never_sees_more_images_than_fit() -> None:
    one = teacher("conv4")
    seen: list[int] = []
    one.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    invert_teacher(one, Inversion(steps=1, images_per_class=4, memory_mb=memory(one, 5)))
    assert max(seen) == 4  # three equal chunks
    seen.clear()
    invert_teacher(one, Inversion(steps=1, images_per_class=4, memory_mb=memory(one, 12)))
    assert max(seen) == 12


def test_chunks_are_few_and_equal() -> None:
    assert [chunk_size(1.0, 10, megabytes) for megabytes in (1, 12, 12 * 3, 12 * 9.9, 12 * 10)] == [1, 1, 3, 5, 10]
    assert images_at_a_time(teacher("conv4"), 150, Inversion()) == 150
