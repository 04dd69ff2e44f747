"""Golden numbers: a refactoring must leave what a fixed seed computes as it is.

A change that moves them on purpose states old and new values in the changelog.
"""

from collections.abc import Iterator

import pandas as pd
import pytest
import torch

from tests.device import DEVICE
from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.bank import Bank
from tgr.config.methods.distil import Distil
from tgr.config.methods.replay import Replay
from tgr.config.methods.tgr import Tgr
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.inversion.recovered import Recovered
from tgr.inversion.stage import invert_teacher
from tgr.methods import registry
from tgr.methods.training import Training
from tgr.pool.pretrain import pretrain_teacher
from tgr.pool.teacher import Teacher

RELATIVE = 1e-5
pytestmark = pytest.mark.device
INVERSION = Inversion(steps=5, images_per_class=8, bn_distance="absolute", bn_weight=12)
META = Meta(n_way=3, k_shot=2, n_query=2, inner_lr=0.1, inner_steps=2, meta_batch_size=2, held_out_per_class=2)


@pytest.fixture(scope="module", autouse=True)
def double() -> Iterator[None]:
    """Compute in float64: in float32 a few steps of Adam make the rounding of one processor a percent of the loss."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="module")
def recovered(tiny_dataset: ImageDataset) -> list[tuple[Teacher, Recovered]]:
    pool = Pool(dataset="tiny", n_way=3, width=8)
    made = []
    for index in range(4):
        config = Pretrain(epochs=5, batch_size=16, lr=1e-2)
        model, card = pretrain_teacher("tiny-conv4", index, pool, config, tiny_dataset, DEVICE)
        teacher = Teacher(card, model)
        made.append((teacher, invert_teacher(teacher, INVERSION)))
    return made


def losses(
    recovered: list[tuple[Teacher, Recovered]], method: str, parameters: object, meta: Meta = META
) -> list[float]:
    training = Training(
        meta_model=MetaModel(width=8, image_size=16),
        meta=meta,
        k_shot=2,
        seed_names=("golden", 0),
        teachers=[teacher for teacher, _ in recovered],
        recovered=[one for _, one in recovered],
        groups=[0, 1, 0, 1],
        real=[],
        device=DEVICE,
    )
    curves = pd.DataFrame(registry.get(method)(parameters, training).curves, columns=["step", "phase", "name", "value"])
    return curves.loc[curves["name"] == "loss", "value"].tolist()


def test_losses_of_inversion(recovered: list[tuple[Teacher, Recovered]]) -> None:
    assert [one.report.loss for _, one in recovered] == pytest.approx(
        [47.412375, 28.249527, 36.160458, 63.345964], rel=RELATIVE
    )


def test_losses_of_bank(recovered: list[tuple[Teacher, Recovered]]) -> None:
    assert losses(recovered, "bank", Bank(steps=3, batch_size=16)) == pytest.approx(
        [2.423393, 2.330327, 2.000089], rel=RELATIVE
    )


def test_losses_of_distil(recovered: list[tuple[Teacher, Recovered]]) -> None:
    assert losses(recovered, "distil", Distil(steps=3, batch_size=16, teachers_per_step=2)) == pytest.approx(
        [3.955136, 4.025575, 3.140877], rel=RELATIVE
    )


def test_losses_of_tgr(recovered: list[tuple[Teacher, Recovered]]) -> None:
    config = Tgr(group_steps=3, replay_steps=0, teachers_per_step=2, images_per_teacher=8, gradient_lambda=1e-2)
    assert losses(recovered, "tgr", config) == pytest.approx([2.930262, 2.621202, 2.728243], rel=RELATIVE)


@pytest.mark.parametrize("learner", ["maml", "fomaml", "anil"])
def test_losses_of_replay(recovered: list[tuple[Teacher, Recovered]], learner: str) -> None:
    expected: dict[str, list[float]] = {
        "maml": [1.147181, 1.032411, 1.452036],
        "fomaml": [1.147181, 1.169722, 1.360512],
        "anil": [1.193094, 1.171176, 1.263439],
    }
    meta = META.model_copy(update={"learner": learner})
    assert losses(recovered, "replay", Replay(steps=3), meta) == pytest.approx(expected[learner], rel=RELATIVE)
