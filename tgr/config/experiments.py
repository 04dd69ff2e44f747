"""Sections of the configuration about what is compared and shown."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tgr.config.base import Distinct, Name, Section, refuse_repeats
from tgr.config.learning import MetaModel
from tgr.config.variants import Factors, Value

ROUNDING = 1e-9
"""Weights of a contrast whose sum is closer to 0 than this have the sum 0."""


class Scenario(MetaModel):
    """One question: which teachers, which methods, and on which unseen classes."""

    pools: Distinct[Name] = Field(min_length=1, description="Keys of `pools`; all their teachers take part.")
    evaluate_on: Distinct[Name] = Field(
        min_length=1, description="Keys of `datasets`; their meta-test classes are used."
    )
    methods: Distinct[str] | None = Field(None, min_length=1, description="Keys of `methods`; `null`: all of them.")
    parameters: dict[str, dict[str, Value]] = Field(
        {}, description="Changes to `methods` in this scenario, by method, e.g. `{free: {steps: 60}}`."
    )


class Ablation(Section):
    """Variants of some methods in one scenario, beside these methods as configured: a table and a figure."""

    scenario: Name = Field(description="A key of `scenarios`.")
    methods: Distinct[str] = Field(["tgr"], min_length=1, description="Keys of `methods` that are varied.")
    factors: Factors = Field(
        min_length=1, description="Parameters of these methods, each with its values; all combinations are run."
    )
    caption: str = Field("Ablation", description="Caption of the table.")


class Line(Section):
    """A method as it trains longer and longer."""

    method: str = Field(description="A key of `methods`.")
    lengths: dict[str, list[int]] = Field(
        min_length=1,
        description="Its parameters that say how long it trains, each with its values: all first ones make the first "
        "training, all second ones the second.",
    )
    parameters: dict[str, Value] = Field({}, description="What else is changed of the method, in all its trainings.")

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        refuse_repeats([*zip(*self.lengths.values(), strict=False)])
        return self

    @property
    def trainings(self) -> list[dict[str, Value]]:
        """What each training changes of the method."""
        lengths = [
            dict(zip(self.lengths, values, strict=False)) for values in zip(*self.lengths.values(), strict=False)
        ]
        return [self.parameters | length for length in lengths]


class Budget(Section):
    """How methods fare as they train longer, by steps and by images: a figure."""

    scenario: Name = Field(description="A key of `scenarios`.")
    lines: dict[str, Line] = Field(min_length=1, description="The lines of the figure, by what its legend calls them.")


class Cell(Section):
    """A training that contrasts compare."""

    method: str = Field("tgr", description="A key of `methods`.")
    parameters: dict[str, Value] = Field({}, description="What is changed of the method.")


class Contrasts(Section):
    """Claims about trainings, each a weighted sum of their accuracies that is positive if the claim holds: a table and
    a figure with intervals."""

    scenario: Name = Field(description="A key of `scenarios`.")
    cells: dict[Name, Cell] = Field(min_length=2, description="The trainings, by the names that the claims use.")
    claims: dict[str, dict[Name, float]] = Field(
        min_length=1,
        description="Weights of cells, with the sum 0, by what the figure says, e.g. "
        "`{Regularisation helps: {regularised: 1, plain: -1}}`.",
    )
    margin: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="The least difference that matters, as a share of 1; less refutes a claim.",
    )

    @model_validator(mode="after")
    def _check_claims(self) -> Self:
        for claim, weights in self.claims.items():
            if unknown := sorted(set(weights) - set(self.cells)):
                raise ValueError(f"claims.{claim}: unknown cell '{unknown[0]}'; valid: {', '.join(self.cells)}")
            if len(weights) < 2 or 0 in weights.values() or abs(sum(weights.values())) > ROUNDING:
                raise ValueError(f"claims.{claim}: give two cells or more, with weights other than 0 whose sum is 0")
        return self


class Pairs(Section):
    """What a second teacher adds to a base teacher, by common classes and by architecture: a figure."""

    pool: Name = Field(description="A key of `pools` with `dataset`: how the base teacher and its like are made.")
    others: Distinct[Name] = Field(
        [],
        description="Further such pools of the same `n_way`: second teachers without a class in common with the base.",
    )
    n_draws: int = Field(10, ge=2, description="Draws of the base teacher's classes.")
    steps: int = Field(60, ge=1, description="Outer steps of replay on the images of two teachers.")


class Sweep(Section):
    """How methods fare as something varies between scenarios: a figure."""

    label: str = Field(description="What varies, as the horizontal axis says it.")
    scenarios: dict[float, Name] = Field(
        min_length=1, description="Keys of `scenarios`, each at its value; their common methods are shown."
    )

    @field_validator("scenarios")
    @classmethod
    def _check_scenarios(cls, scenarios: dict[float, str]) -> dict[float, str]:
        refuse_repeats([*scenarios.values()])
        return scenarios


class Figures(Section):
    """How figures look; nothing is computed again for them."""

    venue: Literal["icml", "neurips", "cvpr", "slide"] = Field("icml", description="Whose text width the figures fill.")
    n_teachers: int = Field(4, ge=1, description="Teachers in the figure of recovered images; at least one a pool.")
    images_per_class: int = Field(3, ge=1, description="Images of each class in that figure.")


class Share(Section):
    """What `make share` collects for others; nothing is computed again for it."""

    licence: str = Field(
        "Apache-2.0",
        min_length=1,
        description="SPDX identifier of the licence of teachers, recovered images and meta-models; imported models "
        "keep their own. Mind those of the training images.",
    )
