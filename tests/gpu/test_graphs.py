"""On CUDA alone: steps give the same as graphs and kernel after kernel. No machine has run these tests yet."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from tests.device import DEVICE
from tests.toy_training import make_training
from tgr import launches
from tgr.backbones.registry import build
from tgr.config.methods.bank import Bank
from tgr.config.methods.replay import Replay
from tgr.config.methods.tgr import Tgr
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.evaluation.protocols import finetuning
from tgr.inversion.pixel import invert
from tgr.meta.nearest_mean import Task
from tgr.meta.pooled import fit_pooled
from tgr.methods import registry
from tgr.pool.pretrain import pretrain_teacher
from tgr.pool.teacher import Teacher

pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(DEVICE.type != "cuda", reason="needs TGR_TEST_DEVICE=cuda"),
]
STEPS = 3 * launches.WARM_UP


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """Compute in float64: in float32, Adam makes the rounding of a few steps a percent of the loss."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    launches.choose("eager")


def pretrained(dataset: ImageDataset, **changes: object) -> Tensor:
    """Return the outputs of a teacher whose batches are of two sizes."""
    config = Pretrain.model_validate({"epochs": STEPS, "batch_size": 13, "lr": 0.01} | changes)
    model, card = pretrain_teacher("tiny", 0, Pool(dataset="tiny", n_way=3, width=8), config, dataset, DEVICE)
    return Teacher(card, model).logits(dataset.images[:20].to(DEVICE)).detach()


def inverted(dataset: ImageDataset) -> Tensor:
    teacher = Teacher(make_training().teachers[0].card, build("conv4", 3, 8, 16, "graphs").to(DEVICE).eval())
    generator = torch.Generator().manual_seed(0)
    return invert(teacher, torch.arange(12) % 3, Inversion(steps=STEPS), None, generator)


def pooled(dataset: ImageDataset) -> Tensor:
    bank, losses = make_training().bank("shared").held_on(DEVICE), []
    model = build("conv4", len(bank.class_names), 8, 16, "graphs").to(DEVICE)
    config = Bank(steps=STEPS, batch_size=16)
    observe = lambda _, values: losses.append(values["loss"])  # noqa: E731
    fit_pooled(model, bank, config, torch.Generator().manual_seed(0), observe)
    return torch.stack(losses)


def weights(method: str, config: Replay | Tgr) -> Tensor:
    """Return the last weights of a training on teachers that never trained."""
    toy = make_training()
    teachers = [Teacher(teacher.card, teacher.model.to(DEVICE)) for teacher in toy.teachers]
    training = make_training(teachers=teachers, recovered=toy.recovered, device=DEVICE)
    _, state = registry.get(method)(config, training).checkpoints[-1]
    return torch.cat([value.double().flatten() for value in state.values()])


def finetuned(dataset: ImageDataset) -> Tensor:
    model, shape = build("conv4", 3, 8, 16, "graphs").to(DEVICE), (STEPS, 3, 4, 3, 16, 16)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    adapt = finetuning(model, 0.1, [1, 4], "batch")
    return torch.tensor([adapt(Task(episode[:, :1], episode[:, 1:])) for episode in images])


GROUP_STEPS = {"group_steps": STEPS, "replay_steps": 0, "teachers_per_step": 2, "images_per_teacher": 6}
TRAININGS: dict[str, Callable[[ImageDataset], Tensor]] = {
    "pre-training by Adam": pretrained,
    "pre-training by SGD": lambda dataset: pretrained(dataset, optimizer="sgd"),
    "inversion": inverted,
    "pooled classifier": pooled,
    "group steps": lambda _: weights("tgr", Tgr.model_validate(GROUP_STEPS)),
    "relations": lambda _: weights("tgr", Tgr.model_validate(GROUP_STEPS | {"relation_weight": 0.3})),
    "interleaved": lambda _: weights("tgr", Tgr.model_validate(GROUP_STEPS | {"schedule": "interleaved"})),
    "replay": lambda _: weights("replay", Replay(steps=STEPS)),
    "fine-tuning": finetuned,
}


@pytest.mark.parametrize("name", TRAININGS)
def test_recorded_steps_give_what_others_do(name: str, tiny_dataset: ImageDataset) -> None:
    expected = TRAININGS[name](tiny_dataset)
    launches.choose("graph")
    found = TRAININGS[name](tiny_dataset)
    assert launches.used() == "graph"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
