"""Who sits on the panel."""

from collections.abc import Sequence

from tgr import seeds
from tgr.config.methods.panel import PanelChoice
from tgr.pool.card import Card
from tgr.pool.draw import draw_teachers, shuffled


def draw_panel(cards: Sequence[Card], choice: PanelChoice, scenario: str) -> list[int]:
    """Return the indices of the panel's teachers, ascending; each pool has as large a share as of all teachers.

    The teachers of a pool are in random order, or the most accurate ones come first; a smaller panel is part of a
    larger one. Seeds of trainings play no part, so that one judgement serves all of them.

    Args:
        cards: of all teachers of the scenario.
    """

    def order(pool: str, members: list[int]) -> list[int]:
        if choice.panel_draw == "random":
            return shuffled(members, seeds.torch_generator("panel", scenario, pool))
        return sorted(members, key=lambda index: cards[index].held_out_accuracy or 0.0, reverse=True)

    return draw_teachers([card.pool for card in cards], choice.panel_size or len(cards), order)
