"""The embeddings beside Fisher information: all of one shape, each on cases whose answer is known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.teachers import make_card, make_report
from tgr.backbones.registry import build
from tgr.config.teachers import TaskSpace
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered
from tgr.pool.teacher import Teacher
from tgr.task_space import features, logits, parameters

CPU = torch.device("cpu")
SMALL = TaskSpace(probe="test_resnet", weights="random", image_size=32, images_per_class=3)
Dissimilarity = Callable[..., Tensor]
EMBEDDINGS = [features.dissimilarity, logits.dissimilarity, parameters.dissimilarity]
NAMES = ["features", "logits", "parameters"]


def teacher(seed: int, n_way: int = 3, architecture: str = "conv4", width: int = 8, size: int = 16) -> Teacher:
    card = make_card(seed, n_way, architecture=architecture, width=width, image_size=size)
    return Teacher(card, build(architecture, n_way, width, size, "test", seed).eval())


def recovered_of(teacher: Teacher, seed: int, per_class: int = 4) -> Recovered:
    """Images of one colour a class; the same seed gives the same colours."""
    card = teacher.card
    n_way, size = len(card.classes), card.image_size
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n_way).repeat_interleave(per_class)
    colours = torch.randint(0, 200, (n_way, 3, 1, 1), generator=generator)[labels]
    noise = torch.randint(0, 55, (len(labels), 3, size, size), generator=generator)
    images = (colours + noise).to(torch.uint8)
    return Recovered(images, labels, torch.zeros(len(labels), n_way), card, make_report(card, per_class))


def pool(*teachers: Teacher) -> tuple[list[Recovered], list[Teacher]]:
    return [recovered_of(t, i) for i, t in enumerate(teachers)], list(teachers)


@pytest.mark.parametrize("dissimilarity", EMBEDDINGS, ids=NAMES)
def test_returns_a_dissimilarity(dissimilarity: Dissimilarity) -> None:
    recovered, teachers = pool(*(teacher(seed) for seed in range(4)))
    actual = dissimilarity(recovered, teachers, SMALL, CPU)
    assert actual.shape == (4, 4)
    assert actual.dtype == torch.float64
    assert torch.equal(actual, actual.T)
    assert not actual.diagonal().any()
    others = actual[~torch.eye(4, dtype=torch.bool)]
    assert 0 < float(others.min()) < float(others.max()) <= 1
    assert torch.equal(actual, dissimilarity(recovered, teachers, SMALL, CPU))


@pytest.mark.parametrize("dissimilarity", EMBEDDINGS, ids=NAMES)
def test_a_teacher_is_like_its_copy_and_unlike_others(dissimilarity: Dissimilarity) -> None:
    teachers = [teacher(0), teacher(1), teacher(0), teacher(2)]
    recovered = [recovered_of(t, seed) for t, seed in zip(teachers, [0, 1, 0, 2], strict=True)]
    actual = dissimilarity(recovered, teachers, SMALL, CPU)
    assert float(actual[0, 2]) == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(actual[0, [1, 3]], actual[2, [1, 3]])
    assert float(actual[0, [1, 3]].min()) > 0.01


@pytest.mark.parametrize("dissimilarity", EMBEDDINGS[:2], ids=NAMES[:2])
def test_teachers_of_any_format_and_size(dissimilarity: Dissimilarity) -> None:
    other = teacher(1, n_way=2, architecture="resnet10", size=24)
    other = Teacher(other.card.model_copy(update={"format": "outputs"}), other.model)
    actual = dissimilarity(*pool(teacher(0), other, teacher(2, n_way=4, width=4)), SMALL, CPU)
    assert actual.shape == (3, 3)
    assert float(actual[~torch.eye(3, dtype=torch.bool)].min()) > 0


@pytest.mark.parametrize("dissimilarity", EMBEDDINGS, ids=NAMES)
def test_a_pool_of_one(dissimilarity: Dissimilarity) -> None:
    assert dissimilarity(*pool(teacher(0)), SMALL, CPU).tolist() == [[0.0]]


# --- features ------------------------------------------------------------------------------------------------------


def test_features_are_those_of_the_images_whoever_teaches() -> None:
    teachers = [teacher(seed) for seed in range(3)]
    same = [recovered_of(t, 5) for t in teachers]
    assert not features.dissimilarity(same, teachers, SMALL, CPU).any()
    opposite = features.dissimilarity(*pool(*teachers[:2]), SMALL, CPU)
    assert float(opposite[0, 1]) == pytest.approx(1)  # two points lie on opposite sides of their mean


# --- logits --------------------------------------------------------------------------------------------------------


def test_alignment_ignores_what_outputs_are_called() -> None:
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turned = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    actual = logits.alignment(
        [x, 3 * x[:, [2, 0, 3, 1]] + 7, x @ turned, torch.full((50, 2), 0.1, dtype=torch.float64)]
    )
    torch.testing.assert_close(actual[:3, :3], torch.ones(3, 3, dtype=torch.float64))
    assert not actual[3].any()


def test_alignment_equals_the_definition_by_gram_matrices() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = [torch.randn(30, k, generator=generator, dtype=torch.float64) for k in (2, 5, 3)]
    centring = torch.eye(30, dtype=torch.float64) - 1 / 30
    grams = [centring @ x @ x.T @ centring for x in outputs]
    expected = torch.tensor([[float((a * b).sum() / (a.norm() * b.norm())) for b in grams] for a in grams])
    torch.testing.assert_close(logits.alignment(outputs), expected.double(), atol=1e-6, rtol=0)


def test_label_order_does_not_matter() -> None:
    first, other = teacher(0), teacher(1)
    relabelled = teacher(0)
    with torch.no_grad():
        for part in ("weight", "bias"):
            getattr(relabelled.model.head, part).copy_(getattr(first.model.head, part)[[2, 0, 1]])
    actual = logits.dissimilarity(*pool(first, relabelled, other), SMALL, CPU)
    assert float(actual[0, 1]) == pytest.approx(0, abs=1e-6)
    assert float(actual[0, 2]) > 0.01


def test_common_images_come_from_every_teacher_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    recovered = pool(teacher(0), teacher(1, n_way=2))[0]
    monkeypatch.setattr(logits, "COMMON_IMAGES", 6)
    chosen = logits.common_images(recovered)
    assert [len(images) for images in chosen] == [3, 3]
    numbers = [[i for i, image in enumerate(recovered[0].images) if torch.equal(image, c)] for c in chosen[0]]
    assert recovered[0].labels[torch.tensor(numbers).flatten()].tolist() == [0, 1, 2]
    monkeypatch.setattr(logits, "COMMON_IMAGES", 1)
    assert [len(images) for images in logits.common_images(recovered)] == [1, 1]


def test_only_recovered_classes_are_compared() -> None:
    recovered, teachers = pool(teacher(0, n_way=5), teacher(1))
    few = Recovered(
        recovered[0].images,
        recovered[0].labels,
        recovered[0].logits,
        recovered[0].card,
        recovered[0].report.model_copy(update={"classes": [1, 3]}),
    )
    before = logits.dissimilarity([few, recovered[1]], teachers, SMALL, CPU)
    with torch.no_grad():
        teachers[0].model.head.weight[[0, 2, 4]] += 5
    assert torch.equal(logits.dissimilarity([few, recovered[1]], teachers, SMALL, CPU), before)


def test_outputs_that_are_not_finite_are_refused() -> None:
    broken = teacher(1)
    with torch.no_grad():
        broken.model.head.bias.fill_(torch.nan)
    with pytest.raises(TgrError, match="outputs of pool/teacher-0001 are not finite"):
        logits.dissimilarity(*pool(teacher(0), broken), SMALL, CPU)


# --- parameters ----------------------------------------------------------------------------------------------------


def test_parameters_of_another_architecture_or_format_are_unlike() -> None:
    other = teacher(3)
    other = Teacher(other.card.model_copy(update={"format": "outputs"}), other.model)
    actual = parameters.dissimilarity(
        *pool(teacher(0), teacher(1), teacher(2, width=4), teacher(2, size=32), other, other), SMALL, CPU
    )
    assert 0.4 < float(actual[0, 1]) < 0.6
    comparable = torch.zeros(6, 6, dtype=torch.bool)
    comparable[0, 1] = comparable[1, 0] = True
    assert torch.equal(actual[~comparable], 1 - torch.eye(6, dtype=torch.float64)[~comparable])


def test_parameters_ignore_the_scale_of_a_layer() -> None:
    first, second = teacher(0), teacher(0)
    with torch.no_grad():
        for parameter in second.model.trunk.parameters():
            parameter.mul_(3).add_(0.7)
    assert float(parameters.dissimilarity(*pool(first, second), SMALL, CPU)[0, 1]) == pytest.approx(0, abs=1e-9)


def test_parameters_need_a_pair_of_one_architecture() -> None:
    with pytest.raises(TgrError, match="choose another `embedding`"):
        parameters.dissimilarity(*pool(teacher(0), teacher(1, width=4)), SMALL, CPU)
