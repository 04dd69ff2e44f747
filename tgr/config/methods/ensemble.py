"""Ensemble: its parameters, and what is said of it."""

from pydantic import Field

from tgr.config.methods.base import MethodParameters


class Ensemble(MethodParameters):
    """Yardstick: nearest class mean on the features of all teachers side by side; many networks, nothing is trained."""

    label = "Ensemble"
    colour = "#117733"  # dark green
    marker = "H"
    role = "yardstick"
    needs = ("teachers",)
    checkpointed = False
    asks_teachers = True
    protocols = ("ncm", "ncm_inductive")

    n_teachers: int | None = Field(
        None,
        ge=1,
        description="Teachers, drawn anew by each seed, each pool in proportion; fewer are among more. `null`: all.",
    )

    def networks(self, n_teachers: int) -> int:
        """Return how many networks an image passes at use, in a scenario of some teachers."""
        return self.n_teachers or n_teachers
