"""The term of `distil`, against the sum that it stands for."""

import pytest
import torch
from torch import Tensor

from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.distil import Distil
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.inversion.stage import invert_teacher
from tgr.meta.bank import MEAN, STD
from tgr.methods.distil import distillation_term
from tgr.methods.training import Training
from tgr.pool.pretrain import pretrain_teacher
from tgr.pool.teacher import Teacher

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def training(tiny_dataset: ImageDataset) -> Training:
    """Two teachers, of three and of two classes."""
    teachers = []
    for n_way in (3, 2):
        pool = Pool(dataset="tiny", n_way=n_way, width=8)
        model, card = pretrain_teacher(f"tiny-{n_way}", 0, pool, Pretrain(epochs=1), tiny_dataset, CPU)
        teachers.append(Teacher(card, model.eval()))
    return Training(
        meta_model=MetaModel(width=8, image_size=16),
        meta=Meta(held_out_per_class=2),
        k_shot=1,
        seed_names=("distil", 0),
        teachers=teachers,
        recovered=[invert_teacher(teacher, Inversion(steps=2, images_per_class=6)) for teacher in teachers],
        groups=[],
        real=[],
        device=CPU,
    )


def images_and_outputs(training: Training) -> tuple[Tensor, list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    plain = torch.rand(5, 3, 16, 16, generator=generator)
    with torch.no_grad():
        said = [teacher.logits(plain) for teacher in training.teachers]
    return (plain - MEAN[0]) / STD[0], said


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_term_is_the_mean_divergence_from_the_teachers(training: Training, temperature: float) -> None:
    config = Distil(kd_weight=0.5, temperature=temperature, class_identity="local")
    bank = training.bank("local")
    images, said = images_and_outputs(training)
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    expected = 0.0
    for teacher, outputs in zip(training.teachers, said, strict=True):
        own = logits[:, [bank.class_names.index(key) for key in teacher.card.class_keys("local")]]
        for target, given in zip((outputs / temperature).exp(), (own / temperature).exp(), strict=True):
            p, q = target / target.sum(), given / given.sum()
            expected += 0.5 * temperature**2 * float((p * (p / q).log()).sum()) / len(images) / len(said)
    term = distillation_term(bank, config, training)(images, logits)
    assert float(term) == pytest.approx(expected, rel=1e-4)


def test_a_model_that_agrees_with_all_teachers_has_none(training: Training) -> None:
    bank = training.bank("local")
    images, said = images_and_outputs(training)
    logits = torch.zeros(5, 5)
    for teacher, outputs in zip(training.teachers, said, strict=True):
        logits[:, [bank.class_names.index(key) for key in teacher.card.class_keys("local")]] = outputs
    assert float(distillation_term(bank, Distil(class_identity="local"), training)(images, logits)) == pytest.approx(
        0, abs=1e-5
    )


def test_as_many_teachers_as_configured_are_asked(training: Training) -> None:
    bank = training.bank("shared")
    images, _ = images_and_outputs(training)
    logits = torch.randn(5, len(bank.class_names), generator=torch.Generator().manual_seed(1))
    term = distillation_term(bank, Distil(teachers_per_step=1), training)
    both = float(distillation_term(bank, Distil(teachers_per_step=2), training)(images, logits))
    seen = {round(float(term(images, logits)), 5) for _ in range(20)}
    assert len(seen) == 2 and sum(seen) / 2 == pytest.approx(both, rel=1e-3)
