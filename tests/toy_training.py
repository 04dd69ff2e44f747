"""A training on teachers that never trained and images of noise: enough for what a method computes."""

from typing import Any

import torch

from tests.teachers import make_card, make_report
from tgr.backbones.registry import build
from tgr.config.learning import Meta, MetaModel
from tgr.inversion.recovered import Recovered
from tgr.methods.training import Training
from tgr.pool.teacher import Teacher

META = Meta(n_way=3, k_shot=1, n_query=2, inner_steps=2, meta_batch_size=2, n_checkpoints=2, held_out_per_class=1)


def make_training(n_teachers: int = 4, per_class: int = 6, **changes: Any) -> Training:
    """Return teachers of three of five classes each in two groups; ``changes`` replace entries of the training."""
    generator = torch.Generator().manual_seed(0)
    teachers, recovered = [], []
    for index in range(n_teachers):
        names = [f"c{i}" for i in (torch.randperm(5, generator=generator)[:3]).tolist()]
        card = make_card(index, classes=names, mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.25])
        teacher = Teacher(card, build("conv4", 3, 8, 16, "toy", index).eval())
        images = torch.randint(0, 256, (3 * per_class, 3, 16, 16), generator=generator, dtype=torch.uint8)
        labels = torch.arange(3).repeat_interleave(per_class)
        teachers.append(teacher)
        with torch.no_grad():
            recovered.append(Recovered(images, labels, teacher.logits(images), card, make_report(card, per_class)))
    values: dict[str, Any] = {
        "meta_model": MetaModel(width=8, image_size=16),
        "meta": META,
        "k_shot": 1,
        "seed_names": ("toy", 0),
        "teachers": teachers,
        "recovered": recovered,
        "groups": [index % 2 for index in range(n_teachers)],
        "real": [],
        "device": torch.device("cpu"),
    }
    return Training(**values | changes)
