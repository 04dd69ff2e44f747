"""The job wrapper, driven with a stand-in for Snakemake's object."""

import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tgr.artifacts import digest
from tgr.config.teachers import Pretrain
from tgr.errors import TgrError
from tgr.run import gpus, job, processor


@pytest.fixture
def snakemake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Snakemake hands to a script, for a rule with a folder and a file as outputs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(job.OWNER, raising=False)
    Path("in.txt").write_text("in")
    Path("code.py").write_text("pass")
    return SimpleNamespace(
        rule="invert",
        wildcards={"pool": "p", "shard": "0"},
        params={"steps": 3, "members": [0, 1]},
        input={"one": "in.txt", "many": ["in.txt", "code.py"], "code": [os.path.relpath(job.__file__)]},
        output={"folder": "results/shard-0", "file": "results/figure.png"},
        log=["results/logs/invert.log"],
    )


def write(run: job.Run) -> None:
    run.output.folder.mkdir()
    (run.output.folder / "a.bin").write_bytes(b"a")
    run.output.file.write_bytes(b"png")


class Text(str):
    """Text that can be loaded from a file."""

    @classmethod
    def load(cls, file: Path) -> "Text":
        return cls(file.read_text())


def failing(snakemake: Any, error: BaseException, before: Callable[[job.Run], None] = write) -> int:
    """Return the exit code of a stage that raises after it wrote its outputs."""
    with pytest.raises(SystemExit) as left, job.stage(snakemake) as run:
        before(run)
        raise error
    return int(left.value.code)


def test_outputs_appear_together_at_the_end(snakemake: SimpleNamespace) -> None:
    with job.stage(snakemake) as run:
        write(run)
        assert run.output.file.suffix == ".png"
        assert not Path("results/shard-0").exists() and not Path("results/figure.png").exists()
    assert Path("results/shard-0/a.bin").read_bytes() == b"a"
    assert Path("results/figure.png").read_bytes() == b"png"
    assert not [*Path("results").rglob("*.partial*")]


def test_script_sees_names_as_attributes(snakemake: SimpleNamespace) -> None:
    with job.stage(snakemake) as run:
        write(run)
        assert (run.wildcards.pool, run.params.steps, run.params.members) == ("p", 3, [0, 1])
        assert run.input.one == Path("in.txt") and run.input.many == [Path("in.txt"), Path("code.py")]


def test_function_is_called_with_what_the_rule_names(snakemake: SimpleNamespace) -> None:
    snakemake.params["pretrain"] = {"epochs": 2}

    def stage(
        *, pool: str, shard: int, members: list[int], pretrain: Pretrain, one: Path, folder: Path, limit: int = 7
    ) -> tuple[Any, ...]:
        return pool, shard, members, pretrain.epochs, one, "shard-0" in folder.name, limit

    with job.stage(snakemake) as run:
        write(run)
        assert run.call(stage) == ("p", 0, [0, 1], 2, Path("in.txt"), True, 7)
        assert run.call(stage, limit=8, members=[])[-1] == 8


def test_input_without_a_file_is_none_and_a_missing_parameter_is_an_error(snakemake: SimpleNamespace) -> None:
    snakemake.input["groups"] = []

    def stage(*, groups: Path | None) -> Path | None:
        return groups

    def greedy(*, nowhere: int) -> int:
        return nowhere

    with job.stage(snakemake) as run:
        write(run)
        assert run.call(stage) is None
        with pytest.raises(TypeError, match="nowhere"):
            run.call(greedy)


def test_files_are_read_if_the_function_wants_what_they_hold(snakemake: SimpleNamespace) -> None:
    Path("a.csv").write_text("name,mean\nNA,0.1\n,0.30000000000000004\n")
    pd.read_csv("a.csv").to_parquet("b.parquet")
    Path("c.json").write_text('{"stress": 0.5}')
    Path("d.txt").write_text("loaded")
    snakemake.input |= {
        "text": "d.txt",
        "table": "a.csv",
        "tables": ["a.csv", "b.parquet"],
        "quality": "c.json",
        "raw": "c.json",
    }

    def stage(
        *, table: pd.DataFrame, tables: Sequence[pd.DataFrame], quality: Mapping[str, Any], raw: Path, text: Text
    ) -> tuple[Any, ...]:
        return table["name"][0], table["mean"].tolist(), [len(part) for part in tables], quality, raw, text

    with job.stage(snakemake) as run:
        write(run)
        expected = ("NA", [0.1, 0.1 + 0.2], [2, 2], {"stress": 0.5}, Path("c.json"), "loaded")
        assert run.call(stage) == expected
        Path("b.parquet").write_text("damaged")
        with pytest.raises(TgrError, match=r"b\.parquet: missing or damaged"):
            run.call(stage)


def test_provenance_says_how_each_output_was_made(snakemake: SimpleNamespace) -> None:
    snakemake.wildcards["seed"] = "4"
    with job.stage(snakemake) as run:
        write(run)
    for output, record_file in [("shard-0", "shard-0/provenance.json"), ("figure.png", "figure.png.provenance.json")]:
        record = json.loads((Path("results") / record_file).read_text())
        assert record["output"] == f"results/{output}"
        assert record["sha256"] == digest(Path("results") / output)
        assert record["rule"] == "invert" and record["params"] == {"steps": 3, "members": [0, 1]}
        assert record["seed"] == "4" and record["wall_seconds"] >= 0
        assert record["inputs"]["one"] == {"in.txt": digest("in.txt")}
        assert "code" not in record["inputs"] and record["code"]["files"] == ["tgr/run/job.py"]
        assert record["versions"]["python"].startswith("3.")
        assert str(Path.cwd()) not in json.dumps(record)


def test_everything_printed_goes_into_the_log(snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    with job.stage(snakemake) as run:
        write(run)
        print("from print")
        logging.getLogger("somewhere").warning("from logging")
        os.write(2, b"from C\n")
        subprocess.run(["echo", "from a child"], check=True)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    log = Path("results/logs/invert.log").read_text()
    for source in ("print", "logging", "C", "a child"):
        assert f"from {source}" in log
    print("again on the terminal")
    assert capfd.readouterr().out == "again on the terminal\n"


def test_warnings_are_repeated_on_the_terminal(snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    with job.stage(snakemake) as run:
        write(run)
        print("WARNING: datasets.mine: left out: 3 files")
        print("no WARNING: this")
    assert capfd.readouterr().err == "warning in invert (pool=p, shard=0): datasets.mine: left out: 3 files\n"


def test_names_that_a_terminal_would_obey_are_escaped(
    snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    with job.stage(snakemake) as run:
        write(run)
        print("WARNING: a\x1b[2J\udcff.png")
    assert capfd.readouterr().err == "warning in invert (pool=p, shard=0): a\\x1b[2J\\udcff.png\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TgrError("a.json: damaged\nb.json: too"), "a.json: damaged | b.json: too"),
        (OSError(28, "No space left on device", "results/x"), "results/x: No space left on device; free some space"),
        (TgrError("a\x1b[2J\t\udcff.png: \u00e9"), "a\\x1b[2J\\t\\udcff.png: \u00e9"),
        (PermissionError(13, "Permission denied", "results"), "results: Permission denied; check the permissions"),
        (OSError(30, "Read-only file system", "/mnt"), "/mnt: Read-only file system; use a working directory that"),
    ],
)
def test_mendable_error_is_one_line(
    snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str], error: Exception, message: str
) -> None:
    assert failing(snakemake, error) == 1
    captured = capfd.readouterr()
    assert captured.err.count("\n") == 1 and captured.out == ""
    assert captured.err.startswith(f"error in invert (pool=p, shard=0): {message}")
    assert captured.err.endswith("[log: results/logs/invert.log]\n")
    assert message in Path("results/logs/invert.log").read_text()
    assert [path.name for path in Path("results").iterdir()] == ["logs"]


def test_unexpected_error_is_one_line_with_its_traceback_in_the_log(
    snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    assert failing(snakemake, KeyError("who")) == 1
    error = capfd.readouterr().err
    assert error.count("\n") == 1 and "unexpected KeyError: 'who'" in error
    assert "Traceback" in Path("results/logs/invert.log").read_text()
    assert [path.name for path in Path("results").iterdir()] == ["logs"]


def test_missing_output_is_an_error_and_no_other_one_stays(
    snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), job.stage(snakemake) as run:
        run.output.file.write_bytes(b"png")
    assert "the stage did not write results/shard-0" in capfd.readouterr().err
    assert not Path("results/figure.png").exists()


def test_read_only_folder_is_reported(snakemake: SimpleNamespace, capfd: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    Path("results").mkdir()
    Path("results/logs").mkdir()
    Path("results").chmod(0o500)
    with pytest.raises(SystemExit), job.stage(snakemake):
        pass
    assert "check the permissions" in capfd.readouterr().err


def test_interruption_cleans_up(snakemake: SimpleNamespace) -> None:
    with pytest.raises(KeyboardInterrupt), job.stage(snakemake) as run:
        write(run)
        raise KeyboardInterrupt
    assert [path.name for path in Path("results").iterdir()] == ["logs"]


def test_terminated_job_cleans_up(snakemake: SimpleNamespace) -> None:
    with pytest.raises(SystemExit), job.stage(snakemake) as run:
        write(run)
        os.kill(os.getpid(), 15)
        time.sleep(5)
    assert [path.name for path in Path("results").iterdir()] == ["logs"]


FOLLOWING = "import time; from tgr.run import job; job._follow_owner(); print('started', flush=True); time.sleep(600)"


def follower(owner: str) -> subprocess.Popen:
    """Return a running process that follows an owner."""
    environment = os.environ | {job.OWNER: owner, "PYTHONPATH": str(Path(job.__file__).parents[2])}
    started = subprocess.Popen([sys.executable, "-c", FOLLOWING], env=environment, stdout=subprocess.PIPE, text=True)
    assert started.stdout and started.stdout.readline() == "started\n"
    return started


def test_job_ends_with_its_workflow() -> None:
    workflow = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    started = follower(f"{workflow.pid}@{socket.gethostname()}")
    workflow.kill()
    workflow.wait()
    assert started.wait(timeout=60) == 1


def test_job_on_another_host_does_not_look_for_its_workflow_here() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    started = follower(f"{ended.pid}@another-host")
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(timeout=3)
    finally:
        started.kill()
        started.wait()


def test_owner_is_this_process_on_this_host() -> None:
    assert job.owner() == f"{os.getpid()}@{socket.gethostname()}"


def test_jobs_find_this_package_before_what_was_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = job.environment("/repository", "pinned")
    assert environment["PYTHONPATH"] == os.pathsep.join(["/repository", "/elsewhere"])
    assert environment[job.OWNER] == job.owner() and environment["OMP_NUM_THREADS"] == "1"
    assert processor.PINS.items() <= environment.items()


def test_a_record_says_on_what_and_how_exactly_a_job_computed(snakemake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tgr import devices, launches

    snakemake.params |= {"device": "cpu", "precision": "tf32", "launches": "graph"}
    with devices.exact(), job.stage(snakemake) as run:
        assert run.device.type == "cpu"
        monkeypatch.setattr(devices, "describe", lambda device: {"name": "a card"})
        write(run)
    record = json.loads(Path("results/figure.png.provenance.json").read_text())
    assert (record["device"], record["precision"], record["gpu"]) == ("cpu", "tf32", {"name": "a card"})
    assert (record["params"]["launches"], record["launches"]) == ("graph", "eager"), "no step was recorded"
    launches.choose("eager")


def test_jobs_compute_exactly_unless_their_rule_says_otherwise(snakemake: Any) -> None:
    from tgr import devices

    snakemake.params |= {"device": "cpu"}
    with devices.exact():
        devices.set_precision("tf32")
        with job.stage(snakemake) as run:
            assert devices.get_precision() == "ieee"
            write(run)


def test_a_job_on_a_gpu_takes_slots_by_its_memory_and_names_its_card(
    snakemake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tgr import devices

    cards = [gpus.Card("GPU-a", "a card", 9000, "580")]
    asked: list[Any] = []

    def take(*arguments: Any) -> Any:
        asked.append(arguments)
        return cards[0], [(tmp_path / "slot").open("w")]

    monkeypatch.setattr(gpus, "list_cards", lambda: cards)
    monkeypatch.setattr(gpus, "take_slots", take)
    monkeypatch.setattr(devices, "resolve", lambda name: name)
    monkeypatch.setattr(devices, "prepare", lambda *_: None)
    monkeypatch.setattr(devices, "describe", lambda device: {"name": "a card"})
    snakemake.params |= {"device": "cuda:3"}
    snakemake.resources = {"gpu_mb": 4200}
    with job.stage(snakemake) as run:
        write(run)
    assert asked == [("cuda:3", 4200, cards)]
    record = json.loads(Path("results/figure.png.provenance.json").read_text())
    assert (record["device"], record["gpu"]["identity"], record["gpu"]["driver"]) == ("cuda", "GPU-a", "580")


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's."""


@pytest.mark.parametrize(
    ("rule", "expected"), [("invert", "lower inversion.memory_mb, or let"), ("judge", "let fewer")]
)
def test_a_full_gpu_says_what_to_lower(
    snakemake: Any, capfd: pytest.CaptureFixture[str], rule: str, expected: str
) -> None:
    snakemake.rule = rule
    assert failing(snakemake, OutOfMemoryError("tried to allocate 2 GiB")) == 1
    message = capfd.readouterr().err
    assert expected in message
    assert "tried to allocate 2 GiB" in message
    assert "unexpected" not in message
