"""Who sits on the panel."""

from collections.abc import Sequence

import torch

from tgr import seeds
from tgr.config.methods.panel import PanelChoice
from tgr.pool.draw import draw_in_proportion
from tgr.pool.teacher import Card


def draw_panel(cards: Sequence[Card], choice: PanelChoice, scenario: str) -> list[int]:
    """Return the indices of the panel's teachers, ascending; each pool has as large a share as of all teachers.

    The teachers of a pool are in random order, or the most accurate ones come first; a smaller panel is part of a
    larger one. Seeds of trainings play no part, so that one judgement serves all of them.

    Args:
        cards: of all teachers of the scenario.
    """
    pools: dict[str, list[int]] = {}
    for index, card in enumerate(cards):
        pools.setdefault(card.pool, []).append(index)
    ordered = []
    for pool, members in pools.items():
        if choice.panel_draw == "random":
            places = torch.randperm(len(members), generator=seeds.torch_generator("panel", scenario, pool)).tolist()
            ordered.append([members[place] for place in places])
        else:
            ordered.append(sorted(members, key=lambda index: cards[index].held_out_accuracy or 0.0, reverse=True))
    return sorted(draw_in_proportion(ordered, choice.panel_size or len(cards)))
