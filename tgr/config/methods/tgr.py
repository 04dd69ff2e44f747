"""Parameters of Task Groupings Regularization."""

from typing import ClassVar, Literal

from pydantic import Field

from tgr.config.methods.base import EpisodicParameters, GroupedParameters


class Tgr(EpisodicParameters, GroupedParameters):
    """Task Groupings Regularization: group steps with implicit gradient regularisation, then replay."""

    label: ClassVar[str] = "TGR"
    logs_conflict: ClassVar[bool] = True

    bank_steps: int = Field(
        0, ge=0, description="Steps of the learner of `bank` first, from whose trunk the group steps then start (ours)."
    )
    group_steps: int = Field(500, ge=1, description="Regularised steps on groups of dissimilar teachers.")
    teachers_per_step: int = Field(
        4, ge=2, description="Teachers drawn from one group in each step, without replacement."
    )
    images_per_teacher: int = Field(32, ge=2, description="Recovered images of each teacher in a step.")
    treatment: Literal["implicit", "none", "pcgrad", "cagrad", "mgda", "aligned_mtl"] = Field(
        "implicit",
        description="What is done about conflicting gradients: implicit gradient regularisation (the paper), nothing, "
        "or an aggregation of `torchjd`.",
    )
    gradient_lambda: float = Field(1e-3, ge=0, description="Strength of the gradient regularisation (displacement).")
    kd_weight: float = Field(1.0, ge=0, description="Weight of the distillation term KL(teacher || meta-model).")
    temperature: float = Field(1.0, gt=0, description="Temperature T of the distillation; the term is scaled by T^2.")
    heads: Literal["shared", "per_teacher", "aligned"] = Field(
        "aligned",
        description="Output rows in the group step: one n-way head in the teachers' arbitrary label orders (`shared`, "
        "the release), one head a teacher, or one row a class.",
    )
    lr: float = Field(3e-3, gt=0, description="Adam learning rate of the group step (cosine decay to zero).")
    augment: bool = Field(True, description="Random crops and, where the dataset allows them, flips.")
    replay_steps: int = Field(60, ge=0, description="Outer steps on replayed episodes after the group steps.")
    fidelity: Literal["corrected", "release"] = Field(
        "corrected",
        description="`release` restores what the authors' release does in the group step: its KL term, the derivative "
        "through the displacement, one shared head, teachers drawn with replacement, from the first pool only.",
    )
