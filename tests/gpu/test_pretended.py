"""The pretended device refuses what a GPU refuses, counts what costs time, and finds planted errors."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from tests.device import DEVICE, needs_pretended
from tgr import devices
from tgr.config.teachers import Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.meta.synthesis import scale
from tgr.pool import pretrain

pytestmark = [pytest.mark.device, needs_pretended]


def here(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(DEVICE)


def train_a_teacher(dataset: ImageDataset) -> None:
    pretrain.pretrain_teacher("tiny", 0, Pool(dataset="tiny", n_way=3, width=4), Pretrain(epochs=1), dataset, DEVICE)


REFUSED = {
    "a sum": lambda: here(3) + torch.ones(3),
    "a product": lambda: here(3, 3) @ torch.ones(3, 3),
    "rows by an index of the CPU": lambda: here(3, 3).index_select(0, torch.tensor([1])),
    "an image of the CPU by an index of the device": lambda: torch.ones(3)[torch.tensor([1]).to(DEVICE)],
    "values of the CPU put in place": lambda: here(3).index_put_((torch.tensor([1]),), torch.ones(1)),
    "a convolution": lambda: conv2d(here(1, 3, 4, 4), torch.ones(2, 3, 3, 3)),
    "a draw by a CPU generator": lambda: torch.randn(3, device=DEVICE, generator=torch.Generator()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_mixes_devices_is_refused(case: str) -> None:
    from tests.pretended import RefusedError

    with pytest.raises(RefusedError):
        REFUSED[case]()


def test_a_number_of_the_cpu_is_no_second_device() -> None:
    assert (here(3) * torch.tensor(2.0)).device == DEVICE


def test_what_has_no_deterministic_algorithm_is_refused() -> None:
    from tests.pretended import LEDGER

    images = here(1, 3, 4, 4).requires_grad_()

    def resize() -> None:
        interpolate(images, (2, 2), mode="bilinear", antialias=True).sum().backward()

    resize()
    assert "no deterministic algorithm" in LEDGER.refused.pop()
    torch.use_deterministic_algorithms(mode=False)
    resize()
    torch.use_deterministic_algorithms(mode=True)
    assert not LEDGER.refused


COUNTED = {
    "a number that is read": (lambda x: x.sum().item(), 1, 0),
    "a condition": (lambda x: bool((x > 0).all()), 1, 0),
    "a list": (lambda x: x.tolist(), 1, 0),
    "a choice by a mask": (lambda x: x[x > 0], 1, 0),
    "numbers that are sent": (lambda x: torch.ones(5).to(x.device), 1, 20),
    "numbers that are fetched": (lambda x: x.cpu(), 1, 0),
    "an index that is sent": (lambda x: x[torch.tensor([0, 1])], 1, 16),
    "arithmetic": (lambda x: (x * 2 + 1).relu().sum(), 0, 0),
    "numbers made there": (lambda x: torch.arange(9, device=x.device), 0, 0),
}


@pytest.mark.parametrize("case", COUNTED)
def test_waits_and_bytes_are_counted(case: str) -> None:
    from tests.pretended import counted

    run, waits, sent = COUNTED[case]
    values = here(8)
    with counted() as ledger:
        run(values)
    assert (ledger.waits.total(), ledger.sent.total()) == (waits, sent)


def test_gradients_are_those_of_the_cpu() -> None:
    images, weight = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
    found = []
    for device in ("cpu", DEVICE):
        leaf = weight.clone().to(device).requires_grad_()
        conv2d(images.to(device), leaf).square().mean().backward()
        found.append(leaf.grad.cpu())
    assert torch.equal(*found)


@pytest.mark.parametrize("operation", ["product", "convolution"])
def test_operands_are_rounded_where_the_settings_allow_it(operation: str) -> None:
    images, weight = here(2, 3, 8, 8), here(4, 3, 3, 3)

    def compute() -> Tensor:
        return (conv2d(images, weight) if operation == "convolution" else images @ images).cpu()

    found = {}
    with devices.exact():
        for precision in ("ieee", "tf32"):
            devices.set_precision(precision)
            found[precision] = compute()
    error = (found["tf32"] - found["ieee"]).norm() / found["ieee"].norm()
    assert 1e-5 < error < 1e-3


def test_a_copy_left_on_the_cpu_is_found_in_a_training(
    tiny_dataset: ImageDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.pretended import RefusedError

    train_a_teacher(tiny_dataset)
    plain = pretrain.crop_flip
    monkeypatch.setattr(pretrain, "crop_flip", lambda images, *rest: plain(images.cpu(), *rest))
    with pytest.raises(RefusedError, match=r"tensors are on two devices"):
        train_a_teacher(tiny_dataset)


def test_a_wait_in_a_loop_is_found_with_its_line(tiny_dataset: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pretended import counted

    def waits() -> int:
        with counted() as ledger:
            train_a_teacher(tiny_dataset)
        return ledger.waits.total()

    before, plain = waits(), pretrain.normalise
    monkeypatch.setattr(pretrain, "normalise", lambda images, *rest: (images.sum().item(), plain(images, *rest))[1])
    assert waits() > before


@pytest.mark.parametrize("sizes", [(16, 24), (24, 16)])
def test_images_are_resized_as_on_the_cpu_with_a_gradient_that_has_a_deterministic_algorithm(
    sizes: tuple[int, int],
) -> None:
    images = torch.rand(2, 3, sizes[0], sizes[0], generator=torch.Generator().manual_seed(0))
    found = []
    for device in ("cpu", DEVICE):
        leaf = images.clone().to(device).requires_grad_()
        resized = scale(leaf, sizes[1])
        resized.square().sum().backward()
        assert leaf.grad is not None
        found.append((resized.detach().cpu(), leaf.grad.cpu()))
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there, here, rtol=1e-4, atol=1e-5)
