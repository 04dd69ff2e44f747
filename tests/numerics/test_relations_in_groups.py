"""What the teachers of a group step find alike: the relational term of `tgr`."""

import pytest
import torch

from tests.toy_training import make_training
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.config.methods.tgr import Tgr
from tgr.meta import group_step
from tgr.meta.group_step import View, teacher_loss
from tgr.meta.likeness import mean_cosines, relational_loss
from tgr.meta.regularisation import Loss
from tgr.methods import tgr

CONFIG = Tgr(group_steps=1, replay_steps=0, teachers_per_step=2, images_per_teacher=6, relation_weight=0.3)


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> list[View]:
    """The views of the losses of all steps."""
    seen: list[View] = []

    def watched(model: Classifier, view: View, config: Tgr) -> Loss:
        seen.append(view)
        return teacher_loss(model, view, config)

    monkeypatch.setattr(group_step, "teacher_loss", watched)
    return seen


def test_all_teachers_of_the_step_say_what_is_alike(views: list[View]) -> None:
    training = make_training()
    sampled = tgr.train(CONFIG, training).sampled
    took_part = [
        judge
        for judge, recovered in zip(training.judges(), training.recovered, strict=True)
        if sampled[recovered.card.key]
    ]
    assert len(took_part) == len(views) == 2
    for view in views:
        features = [judge.opinion(view.images).features for judge in took_part]
        assert view.alike is not None
        torch.testing.assert_close(view.alike, mean_cosines(features))
        assert not torch.allclose(view.alike, mean_cosines(features[:1]))


def test_the_loss_is_that_of_labels_and_relations(views: list[View]) -> None:
    training = make_training()
    tgr.train(CONFIG, training)
    model = training.model(len(training.bank("shared").class_names))
    weights = dict(model.named_parameters())
    for view in views:
        assert view.alike is not None
        with batchnorm_mode(model, "batch"):
            plain, related = (teacher_loss(model, seen, CONFIG)(weights) for seen in (view._replace(alike=None), view))
            term = relational_loss(model.trunk(view.images), view.alike)
        assert float(related - plain) == pytest.approx(0.3 * float(term), rel=1e-4)
        assert float(term) > 0.1


def test_without_a_weight_no_other_teacher_is_asked(views: list[View]) -> None:
    tgr.train(CONFIG.model_copy(update={"relation_weight": 0.0}), make_training())
    assert [view.alike for view in views] == [None, None]
