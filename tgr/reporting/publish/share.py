"""What others can start from: teachers, recovered images and meta-models of a finished run, in one folder for a model
hub or an archive. Each pool has a table of its teachers, which another configuration names to have them without
training (docs/sharing.md). Nothing is computed again."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tgr import __version__
from tgr.artifacts import is_record, provenance_path, read_json, sha256_of, write_json
from tgr.config.base import LONGEST_NAME, Section
from tgr.config.replicates import SIGN
from tgr.errors import TgrError
from tgr.pool.card import Card, read_cards

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN = Environment(
    loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True
)
TABLE, SUMS, SETTINGS, ORIGIN = "models.yaml", "SHA256SUMS", "configuration.yaml", "origin.json"
ATTRIBUTION = Path(__file__).parents[2] / "resources/ATTRIBUTION.md"
TIMELESS = ("rule", "wildcards", "params", "inputs", "code", "versions", "device", "processor", "sha256")
"""What is kept of a record of provenance: equal runs give equal origins."""
COLUMNS = ("architecture", "width", "options", "classes", "image_size", "mean", "std", "flips", "held_out_accuracy")
"""Columns of a table of models that a card has, too."""


class Shared(Section):
    """What the cards say of a run.

    Attributes:
        licence: of everything but imported models, as an SPDX identifier.
        settings: the resolved configuration.
        methods: labels by name, of all methods whose meta-models are there.
        command: what makes the run.
    """

    licence: str
    settings: dict[str, Any]
    methods: dict[str, str]
    command: str


def share_models(
    *,
    teachers: Sequence[Path],
    recovered: Sequence[Path],
    models: Sequence[Path],
    tables: Sequence[Path],
    shared: Shared,
    folder: Path,
) -> None:
    """Collect what a run trained.

    Args:
        teachers, recovered, models: artefacts of these stages, folders beside ``folder``.
        tables: accuracies in Markdown, likewise.
        shared: what to say of the run.
        folder: where to put it all; paths in it are those of the run.

    Raises:
        TgrError: an artefact is missing or damaged, or a card is.
    """
    folder.mkdir(parents=True)
    for artefact in [*teachers, *recovered, *models]:
        _copy_artefact(artefact, folder / artefact.relative_to(folder.parent))
    for table in tables:
        copy = folder / table.relative_to(folder.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(table, copy)
    pools: dict[str, list[tuple[Path, Card]]] = {}
    for shard in teachers:
        copied = folder / shard.relative_to(folder.parent)
        pools.setdefault(copied.parent.name, []).extend((copied, card) for card in read_cards(copied))
    for pool, members in pools.items():
        _write_table(folder / "teachers" / pool, members, shared.licence)
        _write_pool_card(folder / "teachers" / pool, pool, [card for _, card in members], shared)
    (folder / SETTINGS).write_text(yaml.safe_dump(shared.settings, sort_keys=False, allow_unicode=True), "utf-8")
    datasets = shared.settings["datasets"].items()
    packs = sorted({about["pack"] or name for name, about in datasets if about["source"] == "pack"})
    if packs:
        shutil.copyfile(ATTRIBUTION, folder / ATTRIBUTION.name)
    cards = {name: [card for _, card in members] for name, members in pools.items()}
    _write_card(folder, cards, packs, tables, shared)
    sums = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in sorted(_files(folder))]
    (folder / SUMS).write_text("".join(sums), encoding="utf-8")


def plain(pool: str) -> str:
    """Return a name of a pool that a configuration can use: a further replicate's holds a sign that it cannot."""
    return pool.replace(SIGN, "-")


def _copy_artefact(artefact: Path, copy: Path) -> None:
    """Copy a folder; of its provenance, what tells no times."""
    record = read_json(provenance_path(artefact))
    copy.mkdir(parents=True)
    for file in _files(artefact):
        if not is_record(file):
            target = copy / file.relative_to(artefact)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    try:
        write_json(copy / ORIGIN, {key: record[key] for key in TIMELESS})
    except KeyError as error:
        raise TgrError(f"{provenance_path(artefact)}: has no entry {error}; delete the folder and run again") from error


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _write_table(folder: Path, members: Sequence[tuple[Path, Card]], licence: str) -> None:
    """Write the table by which another configuration finds the teachers (``tgr.config.existing_models``)."""
    rows = []
    for shard, card in members:
        known = {key: value for key, value in card.model_dump(include={*COLUMNS}).items() if value not in (None, {})}
        head = {"name": card.title or _name(card), "weights": f"{shard.name}/{card.file}"}
        rows.append(head | {"sha256": card.sha256, "licence": card.licence or licence} | known)
    text = yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    (folder / TABLE).write_text(text, encoding="utf-8")


def _name(card: Card) -> str:
    """Return a teacher's name in the table, with its pool's if both together are no longer than names may be."""
    name = f"{plain(card.pool)}-{card.name}"
    return name if len(name) <= LONGEST_NAME else card.name


def _write_pool_card(folder: Path, pool: str, cards: Sequence[Card], shared: Shared) -> None:
    licence = _licence(cards, shared)
    _render(folder / "README.md", "share_pool.md", shared, licence=licence, pool=pool, cards=cards, table=TABLE)


def _licence(cards: Sequence[Card], shared: Shared) -> str:
    """Return what a hub takes for the licence of a folder: imported models have their own, which the card lists."""
    return "other" if any(card.licence for card in cards) else shared.licence.lower()


def _write_card(
    folder: Path, pools: Mapping[str, Sequence[Card]], packs: Sequence[str], tables: Sequence[Path], shared: Shared
) -> None:
    results = {table.parent.name: table.read_text(encoding="utf-8").strip() for table in tables}
    names = {"table": TABLE, "sums": SUMS, "configuration": SETTINGS, "origin": ORIGIN}
    licence = _licence([*chain.from_iterable(pools.values())], shared)
    counts = {name: len(cards) for name, cards in pools.items()}
    about = {"licence": licence, "pools": counts, "packs": packs, "results": results, "names": names}
    _render(folder / "README.md", "share.md", shared, **about)


def _render(file: Path, template: str, shared: Shared, **values: Any) -> None:
    page = MARKDOWN.get_template(template).render(shared=shared, version=__version__, plain=plain, **values)
    file.write_text(page, encoding="utf-8")
