"""Sections of the configuration about meta-training and evaluation."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from tgr.config.base import Architecture, Distinct, Options, Section

Protocol = Literal["finetune", "finetune_tuned", "ncm", "ncm_inductive"]
Selection = Literal["last", "datafree", "meta_val", "oracle"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)


class Meta(Section):
    """The episodic meta-learner that replay uses."""

    learner: Literal["maml", "fomaml", "anil", "protonet"] = Field(
        "anil",
        description="MAML, first-order MAML, ANIL, or prototypical networks (no inner steps, no head is learnt).",
    )
    n_way: int = Field(5, ge=2, description="Classes of a training episode.")
    k_shot: Annotated[int, Field(ge=1)] | Literal["evaluated"] = Field(
        5, description="Support images a class; `evaluated`: one training for each evaluated shot (paper: evaluated)."
    )
    n_query: int = Field(15, ge=1, description="Query images a class (paper: 15).")
    inner_lr: float = Field(0.01, gt=0, description="Step size inside an episode (paper: 0.01).")
    inner_steps: int = Field(5, ge=1, description="Steps inside an episode (paper: 5).")
    outer_lr: float = Field(1e-3, gt=0, description="Adam learning rate of the outer loop (paper: 0.001).")
    meta_batch_size: int = Field(4, ge=1, description="Episodes an outer step (paper: 16).")
    n_checkpoints: int = Field(3, ge=1, description="Checkpoints kept over the training, for the selection rules.")
    held_out_per_class: int = Field(
        5, ge=1, description="Recovered images of each teacher's class kept for the selection rule `datafree`."
    )

    @property
    def learns_head(self) -> bool:
        """Whether episodes train a head; without one, a checkpoint has none, and each new task starts from zeros."""
        return self.learner != "protonet"

    def passes_of_a_step(self, k_shot: int) -> int:
        """Return the images that an outer step takes forward and backward, again in every inner step that uses them.

        ANIL adapts the head alone, so the trunk sees an episode's images once.
        """
        adapts_trunk = self.learner in ("maml", "fomaml")
        support = k_shot * (self.inner_steps if adapts_trunk else 1)
        return self.meta_batch_size * self.n_way * (support + self.n_query)


class MetaModel(Section):
    """The network that is meta-trained."""

    architecture: Architecture = Field("conv4", description="Backbone of the meta-model.")
    width: int = Field(32, ge=4, description="Width of the meta-model.")
    options: Options = Field({}, description="Options of a timm model or of your own callable, as in `pools`.")
    image_size: int = Field(32, ge=8, le=512, description="Input size of the meta-model; images are resized to it.")


class Tune(Section):
    """The grid of the protocol `finetune_tuned`, searched on meta-val for each method."""

    inner_lr: Distinct[float] = Field([0.01, 0.03, 0.1, 0.3], min_length=1, description="Step sizes.")
    inner_steps: Distinct[int] = Field([5, 10, 20], min_length=1, description="Step counts, read off one trajectory.")
    n_episodes: int = Field(20, ge=1, description="Meta-val episodes of the search.")


class Evaluation(Section):
    """How methods are compared on unseen classes."""

    shots: Distinct[Annotated[int, Field(ge=1)]] = Field([1, 5], min_length=1, description="Support images a class.")
    seeds: Distinct[Annotated[int, Field(ge=0)]] = Field([0], min_length=1, description="Seeds of meta-training.")
    split: Literal["meta_test", "meta_val"] = Field(
        "meta_test",
        description="Classes on which accuracies are measured; with `meta_val`, while parameters are chosen, nothing "
        "looks at meta-test.",
    )
    n_way: int = Field(5, ge=2, description="Classes of an episode.")
    n_query: int = Field(15, ge=1, description="Query images a class.")
    n_episodes: int = Field(600, ge=2, description="Meta-test episodes (paper: 600).")
    n_val_episodes: int = Field(100, ge=2, description="Meta-val episodes, and recovered ones for `datafree`.")
    protocols: Distinct[Protocol] = Field(
        ["finetune", "finetune_tuned", "ncm"],
        min_length=1,
        description="Ways to adapt to an episode; `ncm_inductive` is `ncm` with the stored BatchNorm statistics.",
    )
    selections: Distinct[Selection] = Field(
        list(SELECTIONS), min_length=1, description="Rules that choose the checkpoint; `oracle` sees meta-test."
    )
    selection_protocols: Distinct[Protocol] = Field(
        ["ncm"],
        description="Protocols under which all selection rules are compared; the others are run for the headline only.",
    )
    headline: Literal["last", "datafree", "meta_val"] = Field(
        "datafree",
        description="Selection rule of the main table and figure; `last` and `datafree` see no real image.",
    )
    bn_mode: Literal["batch", "running"] = Field(
        "batch",
        description="BatchNorm at test: statistics of the batch (transductive; paper: batch), or running ones.",
    )
    inner_lr: float = Field(0.01, gt=0, description="Step size of the protocol `finetune` (paper: 0.01).")
    inner_steps: int = Field(10, ge=1, description="Steps of the protocol `finetune` (paper: 10).")
    tune: Tune = Field(Tune(), description="Grid of the protocol `finetune_tuned`.")
    n_students: int = Field(
        4, ge=1, description="Teachers of each pool whose recovered images teach a student, to see how good they are."
    )

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split == "meta_val" and {"meta_val", "oracle"} & set(self.selections):
            raise ValueError(
                "`split: meta_val` measures on the episodes by which the rules meta_val and oracle would choose; "
                "set `selections` and `headline` to last or datafree"
            )
        if self.split == "meta_val" and "finetune_tuned" in self.protocols:
            raise ValueError(
                "`split: meta_val` measures on the episodes by which finetune_tuned is tuned; leave it out"
            )
        return self

    def bn_mode_of(self, protocol: str) -> Literal["batch", "running"]:
        """Return whose BatchNorm statistics a protocol uses: of the batch, or the stored ones."""
        return "running" if protocol == "ncm_inductive" else self.bn_mode

    @model_validator(mode="after")
    def _check_inductive(self) -> Self:
        if self.bn_mode == "running" and "ncm_inductive" in self.protocols:
            raise ValueError("`bn_mode: running` makes ncm inductive already; leave ncm_inductive out of `protocols`")
        return self
