"""Shared models: a folder from small artefacts in the real formats, and its teachers in another pool."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from synthetic_results import make_dataset, write_model, write_shard

from tgr.artifacts import load_tensors, sha256_of
from tgr.config.base import LONGEST_NAME
from tgr.config.existing_models import read_table
from tgr.config.teachers import Dataset
from tgr.errors import TgrError
from tgr.pool.card import read_cards
from tgr.pool.existing_models import import_shard
from tgr.reporting.publish.share import TIMELESS, Shared, share_models
from tgr.run.provenance import write_record

SETTINGS = {"datasets": {"toys": Dataset(source="pack", pack="icons").model_dump(mode="json")}, "device": "cpu"}
SHARED = Shared(licence="CC-BY-4.0", settings=SETTINGS, methods={"replay": "Replay"}, command="snakemake --cores all")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two teachers, what was recovered from them, and a meta-model; each with a record."""
    results = tmp_path / "results"
    folders = [*write_shard(results, "toys-conv4", make_dataset("toys"))]
    folders.append(write_model(results / "models/toys/replay/shot-any/seed-0"))
    record = {key: {} for key in TIMELESS} | {"output": "o", "sha256": "s", "finished": "today", "wall_seconds": 1.0}
    for folder in folders:
        write_record(folder / "provenance.json", record)
    table = results / "tables/toys/main.md"
    table.parent.mkdir(parents=True)
    table.write_text("| method | accuracy |\n|---|---|\n| Replay | 50.0 |\n")
    return results


def share(results: Path, name: str = "share") -> Path:
    parts = {stage: [results / stage / "toys-conv4/shard-00"] for stage in ("teachers", "recovered")}
    models, tables = [results / "models/toys/replay/shot-any/seed-0"], [results / "tables/toys/main.md"]
    share_models(**parts, models=models, tables=tables, shared=SHARED, folder=results / name)
    return results / name


def front_matter(card: Path) -> dict[str, object]:
    return yaml.safe_load(card.read_text().split("---\n")[1])


def test_teachers_of_a_shared_pool_are_equal_wherever_the_folder_goes(results: Path, tmp_path: Path) -> None:
    folder = share(results).rename(tmp_path / "sent around")
    table = folder / "teachers/toys-conv4/models.yaml"
    import_shard(pool="mine", table=table, members=[0, 1], teachers=tmp_path / "imported")
    originals, copies = read_cards(results / "teachers/toys-conv4/shard-00"), read_cards(tmp_path / "imported")
    for original, copy in zip(originals, copies, strict=True):
        assert copy.sha256 == original.sha256 and copy.classes == original.classes and copy.mean == original.mean
        assert copy.licence == "CC-BY-4.0" and copy.held_out_accuracy == original.held_out_accuracy
        folders = (tmp_path / "imported", table.parent / "shard-00")
        ours, theirs = (load_tensors(where / original.file)[0] for where in folders)
        assert ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)


def test_the_table_of_a_pool_with_the_longest_name_can_be_read(results: Path, tmp_path: Path) -> None:
    pool = "p" * LONGEST_NAME
    for stage in ("teachers", "recovered"):
        (results / stage / "toys-conv4").rename(results / stage / pool)
    for card in (results / "teachers" / pool / "shard-00").glob("teacher-*.json"):
        card.write_text(card.read_text().replace('"toys-conv4"', f'"{pool}"'))
    shards = {stage: [results / stage / pool / "shard-00"] for stage in ("teachers", "recovered")}
    share_models(**shards, models=[], tables=[], shared=SHARED, folder=results / "share")
    table = results / "share/teachers" / pool / "models.yaml"
    assert [row.name for row in read_table(table)] == ["teacher-0000", "teacher-0001"]


def test_folder_is_complete_and_its_digests_hold(results: Path) -> None:
    folder = share(results)
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    listed = dict(line.split("  ", 1)[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert listed.keys() == files - {"SHA256SUMS"}
    assert all(sha256_of(folder / name) == digest for name, digest in listed.items())
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    for stage in ("teachers", "recovered"):
        originals = results / stage / "toys-conv4/shard-00"
        names = {file.name for file in originals.iterdir()} - {"provenance.json"}
        assert {f"{stage}/toys-conv4/shard-00/{name}" for name in names} <= files
    assert {"configuration.yaml", "ATTRIBUTION.md", "tables/toys/main.md"} <= files
    assert yaml.safe_load((folder / "configuration.yaml").read_text()) == SETTINGS
    origin = json.loads((folder / "models/toys/replay/shot-any/seed-0/origin.json").read_text())
    assert set(origin) == set(TIMELESS)


def test_cards_say_licence_accuracy_and_how_to_start(results: Path) -> None:
    folder = share(results)
    for card in (folder / "README.md", folder / "teachers/toys-conv4/README.md"):
        about = front_matter(card)
        assert about["license"] == "cc-by-4.0" and about["library_name"] == "tgr" and about["tags"]
        assert "{{" not in card.read_text() and "{%" not in card.read_text()
    text = (folder / "README.md").read_text()
    [pools] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    [(pool, section)] = yaml.safe_load(pools)["pools"].items()
    table = folder / section["table"].removeprefix("path/to/this/folder/")
    assert pool == "toys-conv4" and len(read_table(table)) == section["n_teachers"] == 2
    assert "| Replay | 50.0 |" in text and "drawings of icons" in text
    lines = (folder / "teachers/toys-conv4/README.md").read_text().splitlines()
    rows = [line for line in lines if "teacher-000" in line]
    assert len(rows) == 2 and "| 0.900 | CC-BY-4.0 |" in rows[0]


def test_a_folder_with_imported_models_has_no_single_licence(results: Path) -> None:
    [card, _] = sorted((results / "teachers/toys-conv4/shard-00").glob("teacher-*.json"))
    card.write_text(json.dumps(json.loads(card.read_text()) | {"licence": "research only"}))
    folder = share(results)
    for page in (folder / "README.md", folder / "teachers/toys-conv4/README.md"):
        assert front_matter(page)["license"] == "other"
    assert "| research only |" in (folder / "teachers/toys-conv4/README.md").read_text()


def test_an_artefact_without_its_record_is_named(results: Path) -> None:
    (results / "recovered/toys-conv4/shard-00/provenance.json").unlink()
    with pytest.raises(TgrError, match=r"recovered/toys-conv4/shard-00/provenance\.json: cannot be read"):
        share(results)
