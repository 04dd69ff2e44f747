"""What a method's cost is counted with."""

from typing import Protocol

FORWARD = 0.4
"""The share of a step that its forward pass takes, as measured (``tgr/resources/unit_costs.json``)."""


class Setting(Protocol):
    """Where a method trains, and what its steps take there, in seconds of one core.

    Attributes:
        k_shot, n_query: support and query images a class.
        n_way: classes of a teacher.
        n_teachers: teachers of the scenario.
        step_overhead: seconds of any step, however few its images.
        second_order: how many times longer a step takes whose gradient is itself differentiated.
    """

    @property
    def k_shot(self) -> int: ...  # noqa: D102
    @property
    def n_query(self) -> int: ...  # noqa: D102
    @property
    def n_way(self) -> int: ...  # noqa: D102
    @property
    def n_teachers(self) -> int: ...  # noqa: D102
    @property
    def step_overhead(self) -> float: ...  # noqa: D102
    @property
    def second_order(self) -> float: ...  # noqa: D102

    def steps(self, count: float, images: float, passes: float = 1.0) -> float:
        """Steps on the meta-model, each of some images, forward and backward."""

    def replay(self, steps: float) -> float:
        """Outer steps on replayed episodes."""

    def classified(self, images: float) -> float:
        """Images that a teacher classifies."""

    def inverted(self, images: float) -> float:
        """One step on images that are optimised through a teacher."""

    def recovered(self, images: float) -> float:
        """Images of a teacher that its pool's inversion recovers from start to end."""

    def generated(self, images: float, width: int) -> float:
        """One step on images that come from a generator of some channels, without its teacher."""
