import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tgr.artifacts import (
    atomic,
    digest,
    is_record,
    load_arrays,
    load_tensors,
    provenance_path,
    read_json,
    save_tensors,
    write_json,
)
from tgr.errors import TgrError


def test_atomic_file_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "a.json"
    with atomic(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.suffix == ".json"
    assert target.read_text() == "half"
    assert [*target.parent.iterdir()] == [target]


@pytest.mark.parametrize("is_folder", [False, True])
def test_failure_leaves_the_old_content_and_nothing_else(tmp_path: Path, is_folder: bool) -> None:
    target = tmp_path / "a"
    target.mkdir() if is_folder else target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        if is_folder:
            temporary.mkdir()
            (temporary / "b").write_text("new")
        else:
            temporary.write_text("new")
        raise RuntimeError
    assert [*tmp_path.iterdir()] == [target]
    assert target.is_dir() if is_folder else target.read_text() == "old"


def test_atomic_replaces_a_folder_and_clears_the_leftovers_of_a_killed_run(tmp_path: Path) -> None:
    target = tmp_path / "shard"
    target.mkdir()
    (target / "old").touch()
    (tmp_path / ".shard.partial").mkdir()
    (tmp_path / ".shard.partial" / "leftover").touch()
    with atomic(target) as temporary:
        assert not temporary.exists()
        temporary.mkdir()
        (temporary / "new").touch()
    assert [file.name for file in target.iterdir()] == ["new"]
    assert [*tmp_path.iterdir()] == [target]


def test_tensors_and_metadata_survive(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6).view(2, 3).t(), "b": torch.tensor([1.5], dtype=torch.float64)}
    save_tensors(tmp_path / "t.safetensors", tensors, {"names": ["ä", "b"], "flag": True})
    loaded, metadata = load_tensors(tmp_path / "t.safetensors")
    assert metadata == {"names": ["ä", "b"], "flag": True}
    assert all(
        torch.equal(loaded[name], tensors[name]) and loaded[name].dtype == tensors[name].dtype for name in tensors
    )


def test_arrays_are_what_tensors_are(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6).view(2, 3).t(), "b": torch.tensor([1.5], dtype=torch.float64)}
    save_tensors(tmp_path / "t.safetensors", tensors, {"flag": True})
    arrays, metadata = load_arrays(tmp_path / "t.safetensors")
    assert metadata == {"flag": True}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy(), strict=True)


def test_equal_tensors_and_metadata_give_equal_bytes(tmp_path: Path) -> None:
    metadata = {f"key {index}": index for index in range(20)}
    for attempt in range(5):
        save_tensors(tmp_path / f"{attempt}.safetensors", {"b": torch.ones(2), "a": torch.zeros(3)}, metadata)
    assert len({digest(file) for file in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("content", [b"", b"no tensors at all", None])
def test_damaged_tensors_name_the_file(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "t.safetensors"
    save_tensors(file, {"a": torch.zeros(1000)})
    file.write_bytes(file.read_bytes()[:500] if content is None else content)
    for load in (load_tensors, load_arrays):
        with pytest.raises(TgrError, match=r"t\.safetensors.*delete it and run again"):
            load(file)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TgrError, match=r"t\.safetensors: no such file"):
        load_tensors(tmp_path / "t.safetensors")
    with pytest.raises(TgrError, match=r"a\.json: cannot be read"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(TgrError, match=r"a\.json: damaged or not JSON"):
        read_json(tmp_path / "a.json")


def test_digest_of_a_folder_is_that_of_its_content(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for wall_seconds, folder in enumerate(folders):
        (folder / "below").mkdir(parents=True)
        (folder / "below" / "x.bin").write_bytes(b"x")
        write_json(
            folder / "card.json", {"name": "t", "wall_seconds": wall_seconds, "parts": [{"wall_seconds": wall_seconds}]}
        )
        write_json(provenance_path(folder), {"finished": wall_seconds})
        (folder / ".snakemake_timestamp").write_text(str(wall_seconds))
    assert digest(folders[0]) == digest(folders[1])
    (folders[1] / "below" / "x.bin").rename(folders[1] / "below" / "y.bin")
    assert digest(folders[0]) != digest(folders[1])


def test_digest_of_json_ignores_layout_and_sees_values(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"b": 1, "a": 2}')
    (tmp_path / "b.json").write_text(json.dumps({"a": 2, "b": 1}, indent=4))
    (tmp_path / "c.json").write_text('{"b": 1, "a": 3}')
    assert digest(tmp_path / "a.json") == digest(tmp_path / "b.json") != digest(tmp_path / "c.json")


def test_provenance_is_a_record_inside_folders_and_beside_files(tmp_path: Path) -> None:
    assert provenance_path(tmp_path) == tmp_path / "provenance.json"
    assert provenance_path(tmp_path / "a.csv") == tmp_path / "a.csv.provenance.json"
    assert is_record(tmp_path / "a.csv.provenance.json") and not is_record(tmp_path / "a.csv")
