"""Pack `icons`: a class is a concept (printer, scissors), an image is its icon in one icon set and style."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from . import iconify
from .model import ALLOWED_LICENCES, Candidate, PackSpec, key_hash
from .npm import DATA, read_json

MAX_PER_SET = 4


def spec() -> PackSpec:
    """What is fixed about the pack."""
    data = read_json(DATA / "icons.json")
    return PackSpec(
        name="icons",
        title="Interface icons",
        description=(
            "Icons of interface concepts, drawn by many icon sets. The shapes are real drawings; the two colours of "
            "each image, its polarity and its warp are synthetic."
        ),
        image_size=32,
        per_class=data["per_class"],
        splits={name: concept["split"] for name, concept in data["concepts"].items()},
    )


def strip_style(icon_name: str, style_words: frozenset[str]) -> str:
    """Icon name without words of style and size: `home-outline-24` and `fill-home` become `home`."""
    words = [word for word in re.split(r"[-_]", icon_name) if word]
    return "-".join(word for word in words if word not in style_words and not re.fullmatch(r"\d+(px)?|v\d+", word))


def usable_sets(work: Path, data: dict) -> list[str]:
    """Prefixes of the sets with an allowed licence and plain interface drawings."""
    return sorted(
        prefix
        for prefix, info in iconify.collections(work).items()
        if info["license"].get("spdx") in ALLOWED_LICENCES
        and info.get("category") not in data["excluded_categories"]
        and prefix not in data["excluded_sets"]
    )


def candidates(work: Path) -> dict[str, list[Candidate]]:
    """All icons whose name means one of the concepts, at most MAX_PER_SET per concept and set."""
    data = read_json(DATA / "icons.json")
    style_words = frozenset(data["style_words"])
    concept_of = {}
    for concept, entry in data["concepts"].items():
        for name in entry["names"]:
            assert name not in concept_of, f"{name} is listed for two concepts"
            concept_of[name] = concept
    found: dict[str, list[Candidate]] = {concept: [] for concept in data["concepts"]}
    for prefix in usable_sets(work, data):
        per_concept = defaultdict(list)
        for name in iconify.icon_names(iconify.icon_set(work, prefix)):
            concept = concept_of.get(strip_style(name, style_words))
            if concept is not None:
                per_concept[concept].append(name)
        for concept, names in per_concept.items():
            chosen = sorted(names, key=lambda name: key_hash(prefix, name))[:MAX_PER_SET]
            found[concept] += [iconify.candidate(work, prefix, name) for name in chosen]
    return found
