"""Parameters of the peers: other methods for the same problem."""

from typing import ClassVar, Literal

from pydantic import Field

from tgr.config.methods.base import EpisodicParameters, MethodParameters, PooledParameters


class Ota(MethodParameters):
    """Teachers' neurons aligned by optimal transport, then averaged (one architecture only)."""

    label: ClassVar[str] = "OTA"
    checkpointed: ClassVar[bool] = False

    ground_metric: Literal["weights", "activations"] = Field(
        "weights", description="What makes two neurons alike: incoming weights, or activations on common images."
    )
    images: int = Field(200, ge=2, description="Recovered images on which activations are compared.")


class Dro(Ota):
    """Robust fusion of aligned teachers through a network over task embeddings (one architecture only)."""

    label: ClassVar[str] = "DRO"
    checkpointed: ClassVar[bool] = True

    steps: int = Field(150, ge=1, description="Training steps of the fusion network.")
    teachers_per_step: int = Field(4, ge=1, description="Teachers whose losses make one step.")
    images_per_teacher: int = Field(32, ge=2, description="Recovered images of each teacher in a step.")
    radius: float = Field(
        1.0, ge=0, description="How far an embedding may move; 1 is the typical distance from the mean embedding."
    )
    ascent_steps: int = Field(2, ge=1, description="Gradient ascent steps to the worst embedding within the radius.")
    lr: float = Field(0.01, gt=0, description="Adam learning rate of the fusion network.")


class Purer(EpisodicParameters, PooledParameters):
    """Learnable images for each teacher under a curriculum, and episodes of them."""

    label: ClassVar[str] = "PURER"
    needs: ClassVar[tuple[str, ...]] = ("teachers",)

    steps: int = Field(170, ge=1, description="Outer steps, each on one meta-batch and one move of images.")
    teachers_per_step: int = Field(4, ge=1, description="Teachers whose images move in a step, in turn (paper: all).")
    max_classes: int = Field(20, ge=2, description="Of a teacher with more classes, this many are drawn.")
    pixel_lr: float = Field(0.25, gt=0, description="Adam learning rate of the normalised pixels.")
    tv_weight: float = Field(0.01, ge=0, description="Weight of the total variation (paper: 0.0001).")
    bn_weight: float = Field(3.0, ge=0, description="Weight of the BatchNorm statistics loss (paper: 0.01).")
    l2_weight: float = Field(1e-5, ge=0, description="Weight of the norm of the pixels.")
    jitter: int = Field(2, ge=0, description="Random shift of the images inside the loop, in pixels.")
    curriculum_weight: float = Field(
        10.0, ge=0, description="Weight of the outer loss that the images climb when the training accuracy stalls."
    )
    patience: int = Field(6, ge=1, description="Steps without a better training accuracy that count as a stall.")


class BidfMkd(EpisodicParameters, PooledParameters):
    """Bi-level data-free meta knowledge distillation from white-box or black-box teachers."""

    label: ClassVar[str] = "BiDf-MKD"
    needs: ClassVar[tuple[str, ...]] = ("teachers",)

    steps: int = Field(30, ge=1, description="Outer steps, each on one inverted teacher.")
    box: Literal["white", "black"] = Field(
        "white",
        description="Whether teachers' gradients may be used; `black` asks for outputs, `directions` times as often.",
    )
    directions: int = Field(100, ge=1, description="Queries of a black box for each image and inversion step.")
    query_radius: float = Field(5e-3, gt=0, description="Length of the step between a black box's queries.")
    engine: Literal["generator", "pixel"] = Field(
        "generator", description="A generator (the paper), or the pixels themselves."
    )
    fresh_generator: bool = Field(
        False, description="Start each inversion from a new generator (the paper), not from the one before."
    )
    inversion_steps: int = Field(10, ge=1, description="Steps of an inversion (paper: 200).")
    inversion_lr: float = Field(0.01, gt=0, description="Adam learning rate of an inversion (paper: 0.001).")
    latent_dim: int = Field(256, ge=1, description="Size of the latent code (generator engine).")
    generator_width: int = Field(16, ge=4, description="Channels of the generator (generator engine; paper: 64).")
    support_per_class: int = Field(5, ge=1, description="Support images recovered for each class (paper: 30).")
    query_per_class: int = Field(10, ge=1, description="Query images recovered for each class (paper: 30).")
    boundary_weight: float = Field(
        0.1, ge=0, description="Weight of the disagreement of teacher and student in the recovery of query images."
    )
    kd_steps: int = Field(5, ge=1, description="Distillation steps on the support images (paper: 10).")
    kd_lr: float = Field(0.01, gt=0, description="Step size of the distillation.")
    replay_steps: int = Field(3, ge=0, description="Meta-batches replayed from the class bank in each outer step.")
    memory_per_class: int = Field(100, ge=1, description="Images kept of each class for the replay, the newest.")


class Free(EpisodicParameters, PooledParameters):
    """A meta-generator adapted to each teacher in a few steps, and implicit gradient alignment across teachers."""

    label: ClassVar[str] = "FREE"
    needs: ClassVar[tuple[str, ...]] = ("teachers",)

    steps: int = Field(40, ge=1, description="Outer steps, each on a few teachers.")
    teachers_per_step: int = Field(4, ge=1, description="Teachers of a step, drawn without replacement.")
    images_per_class: int = Field(5, ge=1, description="Images generated for each class in a step.")
    latent_dim: int = Field(256, ge=1, description="Size of the generator's latent code.")
    generator_width: int = Field(16, ge=4, description="Channels of the generator (paper: 64).")
    adaptation_steps: int = Field(5, ge=1, description="Adam steps that adapt the meta-generator to a teacher.")
    generator_lr: float = Field(5e-3, gt=0, description="Learning rate of the adaptation, generator and codes.")
    adversarial_weight: float = Field(
        1.0, ge=0, description="Weight of the disagreement of teacher and meta-model that generated images shall cause."
    )
    generator_rate: float = Field(0.5, gt=0, le=1, description="How far the meta-generator follows the adapted ones.")
    kd_steps: int = Field(2, ge=1, description="Distillation steps on each teacher in turn.")
    kd_lr: float = Field(0.05, gt=0, description="Step size of the distillation.")
    meta_rate: float = Field(0.5, gt=0, le=1, description="How far the meta-model follows the distilled clone.")
    replay_steps: int = Field(4, ge=0, description="Meta-batches replayed from the class bank in each outer step.")
    memory_per_class: int = Field(100, ge=1, description="Images kept of each class for the replay, the newest.")
