"""The cards of the methods, and how figures show methods by them."""

import re

import pytest
from matplotlib.markers import MarkerStyle

from tgr.config.learning import Meta
from tgr.config.methods.registry import CARDS, Methods, parameters_of
from tgr.reporting.figures.style import looks_of_cards, method_colours, method_markers, phase_label


@pytest.mark.parametrize("name", CARDS)
def test_card_is_its_own_and_makes_sense(name: str) -> None:
    card = CARDS[name]
    assert {"label", "colour", "marker"} <= set(vars(card)), "not those of a method on which it is based"
    assert re.fullmatch("#[0-9A-F]{6}", card.colour)
    MarkerStyle(card.marker)
    parameters_of(name, dict(card.small))
    assert bool(card.phases) == bool(card.small), "who trains records its training"


def test_methods_can_be_told_apart() -> None:
    for key in ("label", "colour", "marker"):
        assert len({getattr(card, key) for card in CARDS.values()}) == len(CARDS)


def test_tables_have_one_floor_and_two_ceilings() -> None:
    assert {role: [n for n, card in CARDS.items() if card.role == role] for role in ("floor", "ceiling")} == {
        "floor": ["pixels"],
        "ceiling": ["realdata", "realproto"],
    }


def test_description_is_of_the_card() -> None:
    assert Methods.model_fields["ota"].description.endswith("(one architecture only); Singh & Jaggi, NeurIPS 2020.")


def test_looks_given_go_before_those_of_the_cards() -> None:
    looks = {
        "tgr": {"label": "T", "colour": "#0072B2", "marker": "s", "phases": {"group": "groups"}},
        "mine": {"label": "M", "colour": None, "marker": None, "phases": {}},
    }
    assert method_colours(["mine", "tgr"], looks) == {"tgr": "#0072B2", "mine": "#E69F00"}
    assert method_markers(["mine", "tgr"], looks) == {"tgr": "s", "mine": "4"}
    assert phase_label("tgr", "group", looks) == "groups" and phase_label("mine", "x", looks) == "x"
    assert method_colours(["tgr"]) == {"tgr": looks_of_cards()["tgr"]["colour"]} == {"tgr": CARDS["tgr"].colour}
    assert phase_label("free", "replay") == "replayed episodes"


def test_images_of_a_step_are_counted_by_phase() -> None:
    meta = Meta(n_way=5, k_shot=5, n_query=15, inner_steps=5, meta_batch_size=4)
    for learner, images in (("anil", 25 + 75), ("protonet", 25 + 75), ("fomaml", 5 * 25 + 75), ("maml", 5 * 25 + 75)):
        assert meta.model_copy(update={"learner": learner}).passes_of_a_step(5) == 4 * images, learner
    assert meta.passes_of_a_step(1) == 4 * (5 + 75)
    for changes, passes in (({}, 2), ({"treatment": "none"}, 1), ({"gradient_lambda": 0}, 1)):
        card = parameters_of("tgr", {"teachers_per_step": 4, "images_per_teacher": 32} | changes)
        assert card.passes_of_a_step(meta, 5) == {"bank": 128, "group": 128 * passes, "replay": 400}


@pytest.mark.parametrize("name", CARDS)
def test_images_are_counted_for_all_phases_or_none(name: str) -> None:
    card = parameters_of(name, {})
    assert card.passes_of_a_step(Meta(), 5).keys() in ({*card.phases}, set())
