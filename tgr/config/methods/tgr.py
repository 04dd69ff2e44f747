"""TGR: its parameters, and what is said of it."""

from typing import Literal

from pydantic import Field

from tgr.config.learning import Meta
from tgr.config.methods.bank import ClassifierTraining
from tgr.config.methods.base import EpisodicParameters, GroupedParameters
from tgr.config.methods.setting import Setting


class Tgr(EpisodicParameters, GroupedParameters):
    """Task Groupings Regularization: group steps with implicit gradient regularisation, then replay."""

    label = "TGR"
    colour = "#D55E00"  # vermilion
    marker = "o"
    equal_cost = True
    citation = "Wei et al., ICML 2024"
    bibtex = r"""@inproceedings{wei2024task,
  title     = {Task Groupings Regularization: Data-Free Meta-Learning with Heterogeneous Pre-trained Models},
  author    = {Wei, Yongxian and Hu, Zixuan and Shen, Li and Wang, Zhenyi and Li, Yu and Yuan, Chun and Tao, Dacheng},
  booktitle = {International Conference on Machine Learning (ICML)},
  year      = {2024},
  note      = {arXiv:2405.16560}
}
"""
    logs_conflict = True
    lengths = ("bank_steps", "group_steps", "replay_steps")
    phases = {
        "bank": "batches of the bank",
        "group": "group steps",
        "replay": "replayed episodes",
    }
    small = {
        "group_steps": 4,
        "replay_steps": 2,
        "teachers_per_step": 2,
        "images_per_teacher": 4,
    }

    bank_steps: int = Field(
        0, ge=0, description="Steps of the learner of `bank` first, from whose trunk the group steps then start (ours)."
    )
    schedule: Literal["sequential", "interleaved"] = Field(
        "sequential",
        description="`interleaved` replays after every group step until the training accuracy stalls; `sequential` "
        "(ours) takes all group steps first, and then `replay_steps` of replay (paper: interleaved).",
    )
    group_steps: int = Field(500, ge=1, description="Regularised steps on groups of dissimilar teachers.")
    teachers_per_step: int = Field(
        4, ge=2, description="Teachers drawn from one group in each step, without replacement."
    )
    images_per_teacher: int = Field(32, ge=2, description="Recovered images of each teacher in a step (paper: 150).")
    treatment: Literal["implicit", "none", "pcgrad", "cagrad", "mgda", "aligned_mtl"] = Field(
        "implicit",
        description="What is done about conflicting gradients: implicit gradient regularisation (paper: implicit), "
        "nothing, or an aggregation of `torchjd`.",
    )
    gradient_lambda: float = Field(
        1e-3,
        ge=0,
        description="Strength of the gradient regularisation (displacement). Under `fidelity: release`, which "
        "differentiates through the displacement, a value acts as its double does otherwise.",
    )
    kd_weight: float = Field(1.0, ge=0, description="Weight of the distillation term KL(teacher || meta-model).")
    temperature: float = Field(1.0, gt=0, description="Temperature T of the distillation; the term is scaled by T^2.")
    relation_weight: float = Field(
        0.0,
        ge=0,
        description="Weight of the relational term (ours): the cosines of the features of a teacher's images shall be "
        "the mean of those that the step's teachers, who share a group, see.",
    )
    heads: Literal["shared", "per_teacher", "aligned"] = Field(
        "aligned",
        description="Output rows in the group step: one n-way head in the teachers' arbitrary label orders (`shared`, "
        "the release), one head a teacher, or one row a class.",
    )
    lr: float = Field(
        3e-3,
        gt=0,
        description="Adam learning rate: of the group steps, with cosine decay to zero (`sequential`); or constant, of "
        "group steps and replay, which then knows no `meta.outer_lr` (`interleaved`; paper: 0.001).",
    )
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")
    replay_steps: int = Field(
        60, ge=0, description="Outer steps on replayed episodes after all group steps (`sequential`)."
    )
    patience: int = Field(
        4,
        ge=1,
        description="Outer steps without a better training accuracy that end the replay after a group step "
        "(`interleaved`).",
    )
    replay_cap: int | None = Field(
        20, ge=1, description="Outer steps of replay after one group step, at most (`interleaved`); `null`: no limit."
    )
    fresh_images: bool = Field(
        False,
        description="Recover new images by the pools' inversion for every group step, as the release does, and add "
        "them to those of the episodes. By default all images are those recovered once: that is what a workflow "
        "caches.",
    )
    memory_per_class: int = Field(
        600, ge=1, description="Images of a class that episodes are drawn from, the newest (`fresh_images`)."
    )
    fidelity: Literal["corrected", "release"] = Field(
        "corrected",
        description="`release` restores the algorithm of the authors' release: its KL term, the derivative through the "
        "displacement, teachers drawn with replacement and from the first pool only, one shared head, and "
        "`schedule: interleaved` without a cap. Its learner, numbers and fresh images stay with their keys.",
    )

    def as_run(self) -> "Tgr":
        """Return the parameters that are in force: `fidelity: release` sets some of them."""
        if self.fidelity != "release":
            return self
        return self.model_copy(update={"heads": "shared", "schedule": "interleaved", "replay_cap": None})

    @property
    def inverts(self) -> bool:
        """Whether its training recovers images anew, by the inversion of the teachers' pools."""
        return self.fresh_images

    def visits(self, setting: Setting) -> float:
        """Return how often it draws a teacher, on average, in the group steps."""
        return self.group_steps * self.teachers_per_step / setting.n_teachers

    def passes_of_a_step(self, meta: Meta, k_shot: int) -> dict[str, int]:
        """Return the images that one step of each phase takes forward and backward; displaced gradients do it twice."""
        group = self.teachers_per_step * self.images_per_teacher * (2 if self._displaces else 1)
        replay = meta.passes_of_a_step(k_shot)
        return {"bank": ClassifierTraining().batch_size, "group": group, "replay": replay}

    @property
    def _displaces(self) -> bool:
        """Whether gradients are taken a second time, at displaced weights."""
        return self.treatment == "implicit" and self.gradient_lambda > 0

    def training_seconds(self, setting: Setting) -> float:
        """Return the seconds of one core that the training takes.

        Replay after a group step is taken to last as long as with accuracies that only vary, see
        ``expected_steps_to_stall``.
        """
        config, visits = self.as_run(), self.group_steps * self.teachers_per_step
        passes: float = 2 if self._displaces else 1
        if passes == 2 and config.fidelity == "release":
            passes = 1 + setting.second_order
        seconds = setting.steps(self.bank_steps, ClassifierTraining().batch_size)
        seconds += setting.steps(visits, self.images_per_teacher, passes)
        judges = self.teachers_per_step if self.relation_weight else 1
        seconds += visits * setting.classified(self.images_per_teacher * judges)
        if self.fresh_images:
            seconds += visits * setting.recovered(self.images_per_teacher)
        replayed: float = config.replay_steps
        if config.schedule == "interleaved":
            replayed = config.group_steps * expected_steps_to_stall(config.patience, config.replay_cap)
        return seconds + setting.replay(replayed)


def expected_steps_to_stall(patience: int, cap: int | None = None) -> float:
    """Return the mean number of values until ``patience`` in a row are no better than the best before them.

    The values are taken to be independent, of one distribution and never equal: then the n-th is the best so far with
    probability 1/n, whatever came before. An accuracy that still rises takes longer, one that repeats itself shorter.

    Args:
        cap: the largest number of values; None: as many as it takes.
    """
    waited, expected, n = [1.0] + [0.0] * (patience - 1), 1.0, 1  # the probability of each wait after n values
    while (going := sum(waited)) > 1e-9 and (cap is None or n < cap):
        n += 1
        expected += going
        waited = [going / n] + [share * (1 - 1 / n) for share in waited[:-1]]
    return expected
