"""Which teachers take part in a group step."""

from collections import Counter
from collections.abc import Mapping

import torch


class GroupSampler:
    """Draws teachers of one group for each step, and counts how often each took part.

    A group with fewer teachers than a step wants gives all that it has. Larger groups are drawn more often, in
    proportion to their size, so that their teachers take part as often as those of small groups. A group of one teacher
    is completed by the group that follows, because a single gradient has nothing to align with.

    Args:
        groups: the group of each teacher that takes part, by the teacher's index.
        n_teachers: teachers of one step.
        replacement: draw with replacement, so that a step may have a teacher twice, as in the authors' release.
    """

    def __init__(
        self, groups: Mapping[int, int], n_teachers: int, generator: torch.Generator, *, replacement: bool = False
    ) -> None:
        present = sorted(set(groups.values()))
        self._members = [torch.tensor([i for i, g in groups.items() if g == group]) for group in present]
        self._weights = torch.tensor([max(1.0, len(m) / n_teachers) for m in self._members])
        self._n_teachers = n_teachers
        self._replacement = replacement
        self._generator = generator
        self.counts: Counter[int] = Counter()

    def teachers(self) -> list[int]:
        """Return the teachers of one step."""
        group = int(torch.multinomial(self._weights, 1, generator=self._generator))
        members = self._members[group]
        alone = len(members) == 1 and len(self._members) > 1
        others = self._members[(group + 1) % len(self._members)] if alone else members
        count = self._n_teachers - alone
        if self._replacement:
            order = torch.randint(len(others), (count,), generator=self._generator)
        else:
            order = torch.randperm(len(others), generator=self._generator)[:count]
        chosen = (members.tolist() if alone else []) + others[order].tolist()
        self.counts.update(chosen)
        return chosen
