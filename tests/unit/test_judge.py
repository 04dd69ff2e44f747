"""Teachers that judge images as the meta-model sees them."""

import pytest
import torch
from torch import Tensor

from tests.toy_training import make_training
from tgr.backbones.classifier import Classifier
from tgr.config.methods.tgr import Tgr
from tgr.data.transforms import normalise
from tgr.meta import group_step
from tgr.meta.bank import MEAN, STD
from tgr.meta.judge import Judge, Opinion
from tgr.meta.synthesis import scale
from tgr.methods import tgr


@pytest.mark.parametrize("size", [16, 24])
def test_a_judge_says_what_the_teacher_says_of_the_plain_image(size: int) -> None:
    teacher = make_training(1).teachers[0]
    plain = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    logits = Judge(teacher, [2, 0]).logits(normalise(plain, MEAN, STD))
    torch.testing.assert_close(logits, teacher.logits(scale(plain, 16))[:, [2, 0]], rtol=1e-4, atol=1e-5)
    assert not logits.requires_grad


def test_teacher_and_meta_model_see_the_same_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of the loss are those that the teacher has judged, and its outputs on them are the target."""
    judged: list[tuple[Tensor, Tensor]] = []
    losses: list[Tensor] = []
    opinion, loss = Judge.opinion, group_step.teacher_loss

    def judge(self: Judge, images: Tensor) -> Opinion:
        said = opinion(self, images)
        judged.append((images, said.logits))
        return said

    def watched(model: Classifier, view: group_step.View, config: Tgr) -> object:
        assert view.images is judged[len(losses)][0]
        assert view.logits is judged[len(losses)][1]
        losses.append(view.logits)
        return loss(model, view, config)

    monkeypatch.setattr(Judge, "opinion", judge)
    monkeypatch.setattr(group_step, "teacher_loss", watched)
    training = make_training()
    tgr.train(Tgr(group_steps=3, replay_steps=0, teachers_per_step=2, images_per_teacher=6), training)
    assert len(judged) == len(losses) == 3 * 2
    stored = training.bank("shared").images
    assert not any((image == other).all() for image in judged[0][0] for other in stored)  # they are augmented
