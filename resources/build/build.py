"""Rebuild the embedded datasets: python resources/build/build.py [icons glyphs emoji]."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from packbuilder.attribution import write_attribution
from packbuilder.contact import write_contact_sheet
from packbuilder.npm import fetch
from packbuilder.packing import summary
from packbuilder.pipeline import PACKS, build_pack

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def parse_arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packs", nargs="*", choices=[*PACKS, []], help="packs to build (default: all)")
    parser.add_argument("--work", type=Path, default=HERE / ".work", help="folder for the npm packages")
    parser.add_argument("--out", type=Path, default=ROOT, help="root below which tgr/resources/ and docs/ are written")
    parser.add_argument("--no-fetch", action="store_true", help="use the packages already installed in --work")
    return parser.parse_args()


def main() -> None:
    """Fetch the sources, build the chosen packs and write the attribution of all packs present."""
    arguments = parse_arguments()
    work, out = arguments.work.resolve(), arguments.out.resolve()
    if not arguments.no_fetch:
        fetch(work)
    packs = out / "tgr" / "resources" / "packs"
    for name in arguments.packs or PACKS:
        start = time.monotonic()
        index = build_pack(name, work, packs)
        write_contact_sheet(index, packs, out / "docs" / "datasets" / f"{name}.png")
        size = (packs / f"{name}.webp").stat().st_size / 1e6
        print(f"{summary(index)}, {size:.2f} MB, {time.monotonic() - start:.0f} s", flush=True)
    written = [name for name in PACKS if (packs / f"{name}.sources.tsv.xz").exists()]
    write_attribution(work, packs, written, out / "tgr" / "resources" / "ATTRIBUTION.md")


if __name__ == "__main__":
    main()
