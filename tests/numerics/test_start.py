"""The start from a teacher's trunk: the same function of the same image, whatever normalisation it comes in."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tests.toy_training import make_training
from tgr.backbones.classifier import Classifier
from tgr.config.learning import MetaModel
from tgr.data.transforms import normalise
from tgr.errors import TgrError
from tgr.meta.bank import MEAN, STD
from tgr.methods.start import start_training
from tgr.methods.training import Training
from tgr.pool.teacher import Teacher


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def training() -> Training:
    """Four teachers of another normalisation, the third of which is the best."""
    made = make_training()
    accuracies = [0.5, 0.6, 0.9, 0.9]
    teachers = [
        Teacher(teacher.card.model_copy(update={"held_out_accuracy": accuracy}), teacher.model)
        for teacher, accuracy in zip(made.teachers, accuracies, strict=True)
    ]
    return make_training(teachers=teachers)


def colours() -> Tensor:
    return torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_best_start_gives_the_features_of_the_best_teacher_up_to_the_borders(training: Training) -> None:
    """The layers pad with zeros, which are another colour in the normalisation of the bank."""
    images, teacher = colours(), training.teachers[2]
    model, trained = start_training("best", 7, training)
    assert isinstance(teacher.model, Classifier)
    expected = teacher.model.trunk(normalise(images, teacher.card.mean, teacher.card.std))
    actual = model.eval().trunk(normalise(images, MEAN, STD))
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    assert (trained.mean, trained.std) == (teacher.card.mean, teacher.card.std)
    assert model.head.out_features == 7


def test_first_convolution_agrees_at_every_pixel(training: Training) -> None:
    images, teacher = colours(), training.teachers[2]
    seen: list[Tensor] = []
    model, _ = start_training("best", 7, training)
    for network in (teacher.model, model.eval()):
        first = next(layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d))
        first.register_forward_hook(lambda _layer, _inputs, output: seen.append(output))
    teacher.model(normalise(images, teacher.card.mean, teacher.card.std))
    model(normalise(images, MEAN, STD))
    torch.testing.assert_close(seen[1], seen[0], rtol=1e-12, atol=1e-12)
    assert seen[0].shape[-1] == 16


def test_kept_weights_take_images_in_the_teachers_normalisation(training: Training) -> None:
    """A checkpoint holds no trace of the change: its record says what it expects."""
    images = colours()
    model, trained = start_training("best", 7, training)
    trained.keep(0, model, head=True)
    plain = training.model(7)
    plain.load_state_dict(trained.checkpoints[0][1])
    torch.testing.assert_close(
        plain.eval()(normalise(images, trained.mean, trained.std)),
        model.eval()(normalise(images, MEAN, STD)),
        rtol=1e-12,
        atol=1e-12,
    )


def test_random_start_is_the_fresh_meta_model(training: Training) -> None:
    model, trained = start_training("random", 7, training)
    fresh = training.model(7)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh.parameters(), strict=True))
    assert (trained.mean, trained.std) == (MEAN, STD)


def test_no_teacher_to_start_from_is_an_error_with_a_remedy() -> None:
    training = make_training(meta_model=MetaModel(width=16, image_size=16))
    with pytest.raises(TgrError, match=r"start: best: no teacher has .* of width 16; .* or start from `random`"):
        start_training("best", 7, training)
