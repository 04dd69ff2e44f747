"""The terms of `panel`, against the sums that they stand for, in float64."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from tgr.meta import components
from tgr.meta.components import joint_components
from tgr.meta.likeness import linear_cka
from tgr.methods.panel import Members

CPU = torch.device("cpu")
ROWS = [torch.tensor([4, 0, 2]), torch.tensor([1, 3]), torch.tensor([2, 5, 0, 1])]
"""Three members of three, two and four classes; some are the same classes of the meta-model, which has seven."""


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def probabilities(values: list[float], temperature: float) -> list[float]:
    powers = [math.exp(value / temperature) for value in values]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_divergence_is_the_mean_over_members_of_that_on_their_classes(temperature: float) -> None:
    logits, outputs = 3 * normal(5, 7), 3 * normal(5, 9, seed=1)
    expected = 0.0
    for image in range(5):
        first = 0
        for rows in ROWS:
            said = outputs[image, first : first + len(rows)].tolist()
            given = [float(logits[image, row]) for row in rows]
            for p, q in zip(probabilities(said, temperature), probabilities(given, temperature), strict=True):
                expected += temperature**2 * p * math.log(p / q) / 5 / len(ROWS)
            first += len(rows)
    actual = Members(ROWS, CPU).divergence(logits, outputs, temperature)
    assert float(actual) == pytest.approx(expected, rel=1e-12)


def test_gradient_of_the_divergence_is_the_difference_of_probabilities() -> None:
    """T (q - p) on the classes of each member, added where members share a class; none where no member has it."""
    logits, outputs, temperature = normal(5, 7).requires_grad_(), 3 * normal(5, 9, seed=1), 2.0
    Members(ROWS, CPU).divergence(logits, outputs, temperature).backward()
    expected = torch.zeros(5, 7)
    for image in range(5):
        first = 0
        for rows in ROWS:
            said = probabilities(outputs[image, first : first + len(rows)].tolist(), temperature)
            given = probabilities(logits.detach()[image, rows].tolist(), temperature)
            for row, p, q in zip(rows.tolist(), said, given, strict=True):
                expected[image, row] += temperature * (q - p) / 5 / len(ROWS)
            first += len(rows)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected, rtol=1e-10, atol=1e-14)
    assert (logits.grad[:, 6] == 0).all()


def test_members_that_agree_have_no_divergence() -> None:
    logits = 3 * normal(5, 7)
    outputs = torch.cat([logits[:, rows] for rows in ROWS], 1)
    assert float(Members(ROWS, CPU).divergence(logits, outputs, 2.0)) == pytest.approx(0, abs=1e-12)


def test_cka_is_the_cosine_of_the_centred_gram_matrices() -> None:
    one, other = normal(6, 4), normal(6, 9, seed=1)

    def gram(features: Tensor) -> list[list[float]]:
        rows = [[float(v) for v in row] for row in features]
        mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        return [[sum((x - m) * (y - m) for x, y, m in zip(a, b, mean, strict=True)) for b in rows] for a in rows]

    def product(a: list[list[float]], b: list[list[float]]) -> float:
        return sum(x * y for left, right in zip(a, b, strict=True) for x, y in zip(left, right, strict=True))

    k, l_ = gram(one), gram(other)
    expected = product(k, l_) / math.sqrt(product(k, k) * product(l_, l_))
    assert float(linear_cka(one, other)) == pytest.approx(expected, rel=1e-12)


def test_cka_knows_neither_scale_nor_place_nor_direction() -> None:
    one, other = normal(6, 4), normal(6, 9, seed=1)
    turned = 3 * one @ torch.linalg.qr(normal(4, 4, seed=2)).Q + 5
    torch.testing.assert_close(linear_cka(turned, other), linear_cka(one, other))
    assert float(linear_cka(turned, one)) == pytest.approx(1, abs=1e-12)


def test_cka_of_equal_features_is_zero_and_so_is_its_gradient() -> None:
    for dtype in (torch.float32, torch.float64):
        same = torch.ones(6, 4, dtype=dtype, requires_grad=True)
        cka = linear_cka(same, normal(6, 9, seed=1).to(dtype))
        cka.backward()
        assert float(cka.detach()) == 0 and same.grad is not None and (same.grad == 0).all()


def test_cka_has_the_gradient_of_its_differences() -> None:
    one, other = normal(6, 4).requires_grad_(), normal(6, 9, seed=1)
    assert torch.autograd.gradcheck(lambda features: linear_cka(features, other), (one,))


SIZES = [7, 3, 12]


def features_of_three() -> Tensor:
    """Return features of 90 images, of three teachers of different scales, in a few directions and noise."""
    mixed = normal(90, 4) @ normal(4, sum(SIZES), seed=1) + 0.5 * normal(90, sum(SIZES), seed=2)
    scale = torch.tensor([10.0, 1.0, 0.1]).repeat_interleave(torch.tensor(SIZES))
    return (mixed + 3) * scale


def explicit(features: Tensor, sizes: list[int], share: float, limit: int) -> Tensor:
    """Return the products of rows in the leading components, from an SVD of the centred and scaled features."""
    parts = [part - part.mean(0) for part in features.split(sizes, 1)]
    scaled = torch.cat([part / part.square().sum(1).mean().sqrt() for part in parts], 1)
    u, s, _ = torch.linalg.svd(scaled, full_matrices=False)
    held = (s.square().cumsum(0) / s.square().sum()).tolist()
    count = min(limit, 1 + next(index for index, value in enumerate(held) if value >= share))
    return (u[:, :count] * s[:count]) @ (u[:, :count] * s[:count]).T


def products(features: Tensor, sizes: list[int], n_blocks: int = 4) -> tuple[Tensor, int]:
    generator = torch.Generator().manual_seed(3)
    scores = joint_components(lambda: features.tensor_split(n_blocks), sizes, generator)
    return scores @ scores.T, scores.shape[1]


@pytest.mark.parametrize("limit", [256, 2])
def test_components_are_those_of_an_explicit_decomposition(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(components, "LIMIT", limit)
    features = features_of_three()
    actual, count = products(features, SIZES)
    torch.testing.assert_close(actual, explicit(features, SIZES, 0.995, limit), rtol=1e-9, atol=1e-9)
    assert count == 2 if limit == 2 else 4 <= count < sum(SIZES)


def test_iterated_components_are_those_of_an_explicit_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many directions as columns exactly; with fewer as nearly as the spectrum falls."""
    features = features_of_three()
    monkeypatch.setattr(components, "EXACT", 10)
    for spare, tolerance in ((sum(SIZES) - 6, 1e-9), (10, 1e-3)):
        monkeypatch.setattr(components, "LIMIT", 6)
        monkeypatch.setattr(components, "SPARE", spare)
        actual, count = products(features, SIZES)
        expected = explicit(features, SIZES, 0.995, 6)
        assert count == 6
        assert float((actual - expected).norm() / expected.norm()) < tolerance


def test_components_do_not_depend_on_the_blocks() -> None:
    features = features_of_three()
    torch.testing.assert_close(products(features, SIZES)[0], products(features, SIZES, 1)[0])


def test_all_teachers_have_an_equal_say_and_constant_ones_none() -> None:
    """Alone, each would have a mean squared norm of 1; a constant one, of which rounding leaves a little, has none."""
    features = features_of_three()
    constant = torch.full((90, 2), 0.1)
    torch.testing.assert_close(
        products(torch.cat([features, constant], 1), [*SIZES, 2])[0], products(features, SIZES)[0]
    )
    grams, _ = products(features, SIZES)
    assert float(grams.diagonal().mean()) == pytest.approx(len(SIZES), rel=0.006)
