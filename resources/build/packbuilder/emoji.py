"""Pack `emoji`: a class is a family of emoji that look alike (shoes, trees), an image is one vendor's drawing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from PIL import Image

from . import iconify
from .model import Candidate, PackSpec, Source
from .npm import DATA, package_id, read_json

NAMES = "emojibase-data"
PHOTO_LIKE = "@lobehub/fluent-emoji-3d"
SKIN_TONE = re.compile(r"[:-]? ?\b(medium-light|medium-dark|medium|light|dark)( skin tone|-skin-tone)?$")


def spec() -> PackSpec:
    """What is fixed about the pack."""
    data = read_json(DATA / "emoji.json")
    return PackSpec(
        name="emoji",
        title="Emoji families",
        description=(
            "Emoji and flags as drawn by several vendors, grouped into families that look alike. The shapes are real "
            "drawings; the background textures, the hue shift of each drawing and its warp are synthetic."
        ),
        image_size=32,
        per_class=data["per_class"],
        splits={name: family["split"] for name, family in data["families"].items()},
        webp=data["webp"],
    )


def squash(text: str) -> str:
    """Letters and digits of a name, so that vendors' spellings agree."""
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("&", "and").replace("ñ", "n"))


def plain_code(hexcode: str) -> str:
    """Lower-case code points without the variation selector."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


class EmojiNames:
    """Finds the standard emoji (by its code points) behind a vendor's icon name."""

    def __init__(self, work: Path, sets_with_codes: list[str]) -> None:
        folder = work / "node_modules" / NAMES
        self.label_of: dict[str, str] = {}
        self.code_of: dict[str, str] = {}
        for entry in read_json(folder / "en" / "data.json"):
            for emoji, toned in [(entry, False), *((skin, True) for skin in entry.get("skins", []))]:
                code = plain_code(emoji["hexcode"])
                self.label_of[code] = entry["label"] + (": toned" if toned else "")
                self.code_of.setdefault(squash(emoji["label"]), code)
        for hexcode, name in read_json(folder / "meta" / "unicode-names.json").items():
            self._learn(hexcode, name)
        for prefix in sets_with_codes:
            for hexcode, name in iconify.icon_set(work, prefix).get("chars", {}).items():
                self._learn(hexcode, name)

    def _learn(self, hexcode: str, name: str) -> None:
        code = plain_code(hexcode)
        if code in self.label_of:
            self.code_of.setdefault(squash(name), code)

    def flag_label(self, country: str) -> str:
        """Label of a country's flag, from its two-letter ISO 3166 code."""
        return self.label_of["-".join(f"{0x1F1E6 + ord(letter) - ord('a'):x}" for letter in country)]

    def find(self, icon_name: str) -> str | None:
        """Standard label of the emoji that an icon name means, `...: toned` for skin-tone variants."""
        spellings = (
            icon_name,
            re.sub(r"-\d+$", "", icon_name),
            icon_name.replace("flag-for-", "flag-"),
            SKIN_TONE.sub(r"-\1-skin-tone", icon_name),
        )
        for spelling in spellings:
            code = self.code_of.get(squash(spelling))
            if code is not None:
                return self.label_of[code]
        return None


def vendor_drawings(work: Path, data: dict, names: EmojiNames) -> Iterator[tuple[str, Candidate]]:
    """(standard label, candidate) for every drawing of every vendor; skin-tone variants rank after plain drawings."""
    for prefix in data["vendors"]:
        for icon_name in iconify.icon_names(iconify.icon_set(work, prefix)):
            label = names.find(icon_name)
            if label is not None:
                yield label, iconify.candidate(work, prefix, icon_name, rank=int(label.endswith(": toned")))
    package = package_id(work, PHOTO_LIKE)
    licence = read_json(work / "node_modules" / PHOTO_LIKE / "package.json")["license"]
    for path in sorted((work / "node_modules" / PHOTO_LIKE / "assets").iterdir()):
        label = names.label_of.get(plain_code(path.stem))
        if label is not None:
            source = Source(licence, package, path.name)
            yield label, Candidate(source, file_renderer(path), rank=int(label.endswith(": toned")))


def file_renderer(path: Path) -> Callable[[], Image.Image | None]:
    """A function that reads a raster drawing."""

    def render() -> Image.Image | None:
        with Image.open(path) as image:
            return image.convert("RGBA")

    return render


def flag_drawings(work: Path, data: dict, country: str) -> Iterator[Candidate]:
    """The flag of a country (ISO 3166 code) in the flag sets of Iconify."""
    for prefix, pattern in data["flag_sets"].items():
        name = pattern.format(country)
        if name in iconify.icon_set(work, prefix)["icons"]:
            yield iconify.candidate(work, prefix, name)


def label_matcher(patterns: list[str]) -> Callable[[str], bool]:
    """Whether a label matches a family's patterns; a leading `!` excludes."""
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]

    def matches(label: str) -> bool:
        return any(fnmatchcase(label, pattern) for pattern in wanted) and not any(
            fnmatchcase(label, pattern) for pattern in unwanted
        )

    return matches


def candidates(work: Path) -> dict[str, list[Candidate]]:
    """All drawings of the emoji of each family, and the flags of its countries."""
    data = read_json(DATA / "emoji.json")
    names = EmojiNames(work, data["vendors"])
    matchers = {
        family: label_matcher(entry.get("labels", []) + [names.flag_label(code) for code in entry.get("flags", [])])
        for family, entry in data["families"].items()
    }
    found: dict[str, list[Candidate]] = {family: [] for family in data["families"]}
    for label, candidate in vendor_drawings(work, data, names):
        families = [family for family, matches in matchers.items() if matches(label.removesuffix(": toned"))]
        assert len(families) <= 1, f"{label} is listed in {families}"
        for family in families:
            found[family].append(candidate)
    for family, entry in data["families"].items():
        for country in entry.get("flags", []):
            found[family] += flag_drawings(work, data, country)
    return found
