"""Records, their seals, and the verification of all results."""

import errno
import fcntl
import json
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from tgr.artifacts import digest, provenance_path, write_json
from tgr.errors import TgrError
from tgr.run import job, verify
from tgr.run.provenance import read_record, verified_digest, write_record

DATASET, SHARD, FIGURE = Path("results/dataset.bin"), Path("results/teachers/p/shard-0"), Path("results/figures/f.png")
FILES = ("results/data/d.bin", "results/teachers/p/shard-0/a.json", "results/teachers/p/shard-0/b.bin")
FILES += (
    "results/figures/f.png",
    "results/figures/f.png.provenance.json",
    "results/teachers/p/shard-0/provenance.json",
)


def run(rule: str, sources: list[str], output: str, *parts: str) -> None:
    """Run a stage that writes a file, or a folder of some parts."""
    snakemake = SimpleNamespace(
        rule=rule, wildcards={}, params={"steps": 3}, input={"sources": sources}, output={"made": output}, log=[]
    )
    with job.stage(snakemake) as stage:
        if not parts:
            stage.output.made.write_bytes(output.encode() * 9)
        for part in parts:
            stage.output.made.mkdir(exist_ok=True)
            (stage.output.made / part).write_text(json.dumps({"part": part, "wall_seconds": 1.5}))


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chain: a dataset, a shard made from it, a figure made from the shard, and a figure made from the dataset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(job.OWNER, raising=False)
    run("load", [], "results/data/d.bin")
    run("train", ["results/data/d.bin"], "results/teachers/p/shard-0", "a.json", "b.bin")
    (SHARD / ".snakemake_timestamp").touch()
    run("draw", ["results/teachers/p/shard-0"], "results/figures/f.png")
    run("draw", ["results/data/d.bin"], "results/figures/other.png")
    for apart in (
        "results/logs/x.log",
        "results/report.html",
        "results/reference/t.csv",
        "results/figures/.f.partial.png",
    ):
        Path(apart).parent.mkdir(exist_ok=True)
        Path(apart).touch()
    return Path()


def named(report: verify.Report) -> list[str]:
    return sorted(damage.file.as_posix() for actual in report.damages.values() for damage in actual)


def test_sound_results_are_silent(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([]) == 0
    assert capsys.readouterr().out == "all 4 artefacts are as they were written\n"


@pytest.mark.parametrize("file", FILES)
def test_every_flipped_bit_truncation_and_loss_is_named(results: Path, file: str) -> None:
    content = Path(file).read_bytes()
    generator = random.Random(file)
    for position in generator.sample(range(8 * len(content)), 15):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        Path(file).write_bytes(damaged)
        assert named(verify.verify(results)) == [file]
    for length in {0, generator.randrange(len(content)), len(content) - 1}:
        Path(file).write_bytes(content[:length])
        assert named(verify.verify(results)) == [file]
    Path(file).unlink()
    assert named(verify.verify(results)) == [file]


def test_repair_moves_what_is_damaged_and_what_was_made_from_it(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (SHARD / "b.bin").write_bytes(b"")
    for _ in range(2):
        assert verify.main([]) == 1
        output = capsys.readouterr().out
        assert output.startswith(f"{SHARD / 'b.bin'}: is damaged: its SHA-256 has changed\n")
        assert "1 damaged or missing artefacts and 1 made from them" in output and "`make repair`" in output
    assert verify.main(["--repair"]) == 0
    assert (results / "results/damaged/teachers/p/shard-0/b.bin").read_bytes() == b""
    assert (results / "results/damaged/figures/f.png.provenance.json").exists()
    left = sorted(p.name for p in Path("results").rglob("*.png") if "damaged" not in p.parts)
    assert left == [".f.partial.png", "other.png"] and not SHARD.exists()
    assert verify.main([]) == 0


def test_a_file_that_no_job_wrote_is_named(results: Path) -> None:
    for file in (SHARD / "c.bin", Path("results/figures/mine.png")):
        file.touch()
    actual = named(verify.verify(results))
    assert actual == ["results/figures/mine.png.provenance.json", "results/teachers/p/shard-0/c.bin"]


def test_a_lost_folder_is_missed_by_what_was_made_from_it(results: Path) -> None:
    SHARD.rename("elsewhere")
    report = verify.verify(results)
    assert named(report) == [SHARD.as_posix()]
    assert report.dependants == [FIGURE]


def test_what_was_made_from_another_version_is_named(results: Path) -> None:
    source = Path("results/data/d.bin")
    source.write_bytes(b"new")
    new = digest(source)
    write_record(
        provenance_path(source), read_record(provenance_path(source)) | {"sha256": new, "files": {"d.bin": new}}
    )
    report = verify.verify(results)
    assert named(report) == ["results/figures/other.png", SHARD.as_posix()]
    assert report.dependants == [FIGURE]


def test_the_record_of_another_artefact_is_noticed(results: Path) -> None:
    for suffix in ("", ".provenance.json"):
        Path(f"results/figures/f.png{suffix}").write_bytes(Path(f"results/figures/other.png{suffix}").read_bytes())
    report = verify.verify(results)
    assert [damage.reason for damage in report.damages[FIGURE]] == ["is the record of results/figures/other.png"]


def test_records_of_earlier_versions_judge_the_whole(results: Path) -> None:
    file = provenance_path(SHARD)
    record = {key: value for key, value in json.loads(file.read_text()).items() if key not in ("files", "seal")}
    write_json(file, record)
    assert not verify.verify(results).damages
    (SHARD / "b.bin").write_bytes(b"")
    assert named(verify.verify(results)) == [SHARD.as_posix()]


def test_a_damaged_input_is_never_read(results: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (SHARD / "a.json").write_text('{"part": "b.json", "wall_seconds": 1.5}')
    with pytest.raises(TgrError, match=r"a\.json: is damaged: .*make repair"):
        verified_digest(SHARD)
    with pytest.raises(SystemExit):
        run("draw", [SHARD.as_posix()], "results/figures/new.png")
    assert "shard-0/a.json: is damaged" in capfd.readouterr().err
    assert not Path("results/figures/new.png").exists()


def test_nothing_is_verified_while_a_run_writes(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(".snakemake").mkdir()
    with Path(verify.LOCK).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert verify.main([]) == 1
    assert "a run is using this working directory; wait until it ends" in capsys.readouterr().err
    assert verify.main([]) == 0


def test_where_nothing_can_be_locked_results_are_verified_all_the_same(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    Path(".snakemake").mkdir()
    Path(verify.LOCK).touch()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert verify.main([]) == 0
    assert ". cannot be locked (No locks available): see to it that no run uses it" in capsys.readouterr().err


def test_an_interrupted_download_is_no_damage(results: Path) -> None:
    Path("results/downloads/weights").mkdir(parents=True)
    for part in ("results/downloads/cifar-100-python.tar.gz.part", f"results/downloads/weights/{'0' * 64}.part"):
        Path(part).touch()
    assert not verify.verify(results).damages


def test_a_record_of_somebody_else_in_a_folder_of_images_is_none(results: Path) -> None:
    folder = Path("data/mine")
    folder.mkdir(parents=True)
    (folder / "a.png").touch()
    before = verified_digest(folder)
    (folder / "provenance.json").write_text('{"collected by": "me"}')
    assert verified_digest(folder) == before


def test_a_folder_without_results_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([str(tmp_path)]) == 1
    assert "results: no such folder" in capsys.readouterr().err


def test_another_working_directory_inside_is_left_out(results: Path) -> None:
    inner = Path("results/smoke")
    (inner / ".snakemake").mkdir(parents=True)
    (inner / "results/tables").mkdir(parents=True)
    (inner / "results/tables/t.csv").touch()
    assert not verify.verify(results).damages
    assert named(verify.verify(inner)) == ["results/smoke/results/tables/t.csv.provenance.json"]
