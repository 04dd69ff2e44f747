"""The list of digests of a run: its order, what it leaves out, and what a difference says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tgr.errors import TgrError
from tgr.run import digests
from tgr.run.provenance import write_record

PROCESSOR = {"model": "A", "environment": {"PIN": "1"}, "kernels": {"torch": "AVX2"}}


def record(root: Path, output: str, *inputs: str, **more: Any) -> None:
    """Write the record of an artefact, a file, that was made from others."""
    file = root / f"{output}.provenance.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    about = {"inputs": {"all": dict.fromkeys(inputs, "0")}, "processor": PROCESSOR, "versions": {"python": "3"}}
    write_record(file, {"output": output, "sha256": f"digest of {output}"} | about | more)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A working directory with the records of a small run."""
    record(tmp_path, "results/z-data", "data.npz")
    record(tmp_path, "results/models/b", "results/z-data", versions={"python": "3", "torch": "2"})
    record(tmp_path, "results/a-table.csv", "results/models/b")
    record(tmp_path, "results/tables/cost.csv", "results/models/b")
    record(tmp_path, "results/figure.png", "results/tables/cost.csv", "results/a-table.csv")
    record(tmp_path, "results/damaged/old", "results/z-data")
    record(tmp_path, "results/index.html", "results/a-table.csv")
    return tmp_path


def test_artefacts_follow_what_they_are_made_from_and_none_holds_seconds(run: Path) -> None:
    found = digests.collect(run)
    assert list(found.artefacts) == ["results/z-data", "results/models/b", "results/a-table.csv"]
    assert found.artefacts["results/models/b"] == "digest of results/models/b"
    assert found.versions == {"python": "3", "torch": "2"} and found.processor == PROCESSOR


def test_a_list_is_read_as_it_was_written(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run / "digests.json"
    assert digests.main([str(file), str(run), "--write"]) == 0
    assert digests.read(file) == digests.collect(run) and next(iter(digests.read(file).artefacts)) == "results/z-data"
    assert digests.main([str(file), str(run)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all 3 artefacts equal those of the list"


def test_the_first_difference_is_named_with_both_processors(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = run / "digests.json"
    digests.main([str(file), str(run), "--write"])
    here = PROCESSOR | {"model": "B", "kernels": {"torch": "AVX512"}}
    for output, source in (("results/a-table.csv", "results/models/b"), ("results/models/b", "results/z-data")):
        record(run, output, source, sha256="another", processor=here, versions={"python": "3", "torch": "3"})
    assert digests.main([str(file), str(run)]) == 1
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines == [
        "results/models/b is the first of 2 artefacts, among 3, that differ",
        "expected: A; PIN='1'; torch AVX2",
        "here:     B; PIN='1'; torch AVX512",
        "versions that differ: {'torch': '2 -> 3'}",
    ]


def test_a_list_of_another_configuration_is_no_difference_of_processors(run: Path) -> None:
    found = digests.collect(run)
    more = replace(found, artefacts={**found.artefacts, "results/new": "0"})
    problem = digests.difference(found, more)
    assert problem == "the list is of another configuration: 1 artefacts are in one of the two only, e.g. results/new"


def test_no_results_and_no_list_are_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert digests.main([str(tmp_path / "list.json"), str(tmp_path)]) == 1
    assert "there are no results" in capsys.readouterr().err
    (tmp_path / "list.json").write_text(json.dumps({"files": {}}))
    with pytest.raises(TgrError, match="is no list of digests"):
        digests.read(tmp_path / "list.json")
