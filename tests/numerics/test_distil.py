"""The term of `distil`, against the sum that it stands for."""

import pytest
import torch
from torch import Tensor

from tests.peer_training import outputs_alone
from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.distil import Distil
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.inversion.stage import invert_teacher
from tgr.meta.bank import MEAN, STD
from tgr.meta.judge import Judge
from tgr.meta.likeness import cosine_matrix, mean_cosines, relational_loss
from tgr.meta.pooled import Batch
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


FEATURES = torch.randn(5, 7, generator=torch.Generator().manual_seed(2))


def batch_and_outputs(training: Training) -> tuple[Batch, list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    plain = torch.rand(5, 3, 16, 16, generator=generator)
    with torch.no_grad():
        said = [teacher.logits(plain) for teacher in training.teachers]
    return Batch(torch.arange(5), torch.zeros(5, dtype=torch.bool), (plain - MEAN[0]) / STD[0]), said


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_term_is_the_mean_divergence_from_the_teachers(training: Training, temperature: float) -> None:
    config = Distil(kd_weight=0.5, temperature=temperature, class_identity="local")
    bank = training.bank("local")
    batch, said = batch_and_outputs(training)
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    expected = 0.0
    for teacher, outputs in zip(training.teachers, said, strict=True):
        own = logits[:, [bank.class_names.index(key) for key in teacher.card.class_keys("local")]]
        for target, given in zip((outputs / temperature).exp(), (own / temperature).exp(), strict=True):
            p, q = target / target.sum(), given / given.sum()
            expected += 0.5 * temperature**2 * float((p * (p / q).log()).sum()) / len(logits) / len(said)
    term = distillation_term(bank, config, training)(batch, FEATURES, logits)
    assert float(term) == pytest.approx(expected, rel=1e-4)


def test_a_model_that_agrees_with_all_teachers_has_none(training: Training) -> None:
    bank = training.bank("local")
    batch, said = batch_and_outputs(training)
    logits = torch.zeros(5, 5)
    for teacher, outputs in zip(training.teachers, said, strict=True):
        logits[:, [bank.class_names.index(key) for key in teacher.card.class_keys("local")]] = outputs
    term = distillation_term(bank, Distil(class_identity="local"), training)
    assert float(term(batch, FEATURES, logits)) == pytest.approx(0, abs=1e-5)


def test_as_many_teachers_as_configured_are_asked(training: Training) -> None:
    bank = training.bank("shared")
    batch, _ = batch_and_outputs(training)
    logits = torch.randn(5, len(bank.class_names), generator=torch.Generator().manual_seed(1))
    term = distillation_term(bank, Distil(teachers_per_step=1), training)
    both = float(distillation_term(bank, Distil(teachers_per_step=2), training)(batch, FEATURES, logits))
    seen = {round(float(term(batch, FEATURES, logits)), 5) for _ in range(20)}
    assert len(seen) == 2 and sum(seen) / 2 == pytest.approx(both, rel=1e-3)


def cosines(features: Tensor) -> list[list[float]]:
    """Return the cosines of features less their mean, one by one."""
    rows = [[float(v) for v in row] for row in features]
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    centred = [[v - m for v, m in zip(row, mean, strict=True)] for row in rows]

    def dot(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    return [[dot(a, b) / (dot(a, a) * dot(b, b)) ** 0.5 for b in centred] for a in centred]


def test_relational_loss_is_the_sum_that_it_stands_for() -> None:
    generator = torch.Generator().manual_seed(0)
    student, *teachers = (torch.randn(6, d, generator=generator, dtype=torch.float64) for d in (4, 3, 9))
    own, others = cosines(student), [cosines(features) for features in teachers]
    pairs = [(i, j) for i in range(6) for j in range(6)]
    expected = 6 * sum((own[i][j] - (others[0][i][j] + others[1][i][j]) / 2) ** 2 for i, j in pairs) / 36
    assert float(relational_loss(student, mean_cosines(teachers))) == pytest.approx(expected, rel=1e-12)


def test_relations_know_neither_scale_nor_place_nor_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    turned = 3 * features @ torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q + 5
    torch.testing.assert_close(cosine_matrix(turned), cosine_matrix(features))
    assert cosine_matrix(torch.ones(6, 4)).abs().max() == 0


def test_relational_term_compares_with_the_features_of_the_teachers(training: Training) -> None:
    bank, (batch, _) = training.bank("local"), batch_and_outputs(training)
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = [judge.opinion(batch.images).features for judge in training.judges()]
    assert [part.shape for part in features] == [(5, 8), (5, 8)]
    plain, related = (
        distillation_term(bank, Distil(class_identity="local", relation_weight=w), training) for w in (0, 0.3)
    )
    gain = related(batch, FEATURES, logits) - plain(batch, FEATURES, logits)
    assert float(gain) == pytest.approx(0.3 * float(relational_loss(FEATURES, mean_cosines(features))), rel=1e-4)


def test_a_network_without_a_head_is_compared_by_its_outputs(training: Training) -> None:
    teacher, batch = outputs_alone("teacher-0000", "abc", 16), batch_and_outputs(training)[0]
    logits, features = Judge(teacher, [2, 0]).opinion(batch.images)
    assert torch.equal(logits, features[:, [2, 0]]) and features.shape == (5, 3)
    torch.testing.assert_close(logits, Judge(teacher, [2, 0]).logits(batch.images))
