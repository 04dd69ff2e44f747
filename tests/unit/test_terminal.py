"""What a run prints, from records like those of Snakemake."""

import io
import logging
from pathlib import Path

import pytest

from tgr.run.terminal import Terminal, install, short_reason


class Screen(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, interactive: bool) -> None:
        super().__init__()
        self.interactive = interactive

    def isatty(self) -> bool:
        return self.interactive


def send(terminal: Terminal, event: str | None, message: str | None = None, level: int = logging.INFO, **more) -> None:
    record = logging.makeLogRecord({"msg": message, "levelno": level, **({"event": event} if event else {}), **more})
    terminal.handle(record)


def start(terminal: Terminal) -> None:
    send(terminal, None, "Building DAG of jobs...")
    send(terminal, "workflow_started", "SNAKEMAKE")
    send(terminal, "run_info", "Job stats:\ninvert  1\ntotal  1\n", stats={"invert": 1, "total": 1})
    send(terminal, "job_info", jobid=3, rule_name="invert", wildcards={"pool": "p", "shard": "0"}, reason="Forced")


def fail(terminal: Terminal, log: Path) -> None:
    failure = {"jobid": 3, "rule_name": "invert", "rule_msg": None, "log": [str(log)], "aux": {"jobs": "12"}}
    send(terminal, "job_error", "Error in rule invert, jobid: 3", logging.ERROR, **failure)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "job.log"
    file.write_text("100 %\nerror in invert (pool=p, shard=0): too bad\n")
    return file


def test_pipe_gets_two_lines_a_job() -> None:
    screen = Screen(interactive=False)
    terminal = Terminal(screen)
    start(terminal)
    send(terminal, "job_finished", "Finished jobid: 3", job_id=3)
    terminal.close()
    first, last = screen.getvalue().splitlines()[-2:]
    assert first == "start  invert (pool=p, shard=0)"
    assert last == "done   invert (pool=p, shard=0) in 00:00 [1/1]"
    assert "SNAKEMAKE" not in screen.getvalue() and "Building" not in screen.getvalue()


def test_terminal_shows_progress_and_a_line_a_job() -> None:
    screen = Screen(interactive=True)
    terminal = Terminal(screen)
    start(terminal)
    terminal.show_running()
    assert "0/1 jobs" in screen.getvalue() and screen.getvalue().rstrip().endswith("left, invert (pool=p, shard=0)")
    send(terminal, "job_finished", "Finished jobid: 3", job_id=3)
    terminal.close()
    lines = screen.getvalue().replace("\r", "\n").splitlines()
    assert sum("invert (pool=p, shard=0) in" in line for line in lines) == 1
    assert "start  " not in screen.getvalue() and "1/1 jobs 100%" in lines[-1]


@pytest.mark.parametrize(("interactive", "local"), [(True, True), (False, False), (True, False)])
def test_reason_of_a_failure_is_repeated_where_it_would_be_overwritten_or_is_elsewhere(
    log: Path, interactive: bool, local: bool
) -> None:
    screen = Screen(interactive)
    terminal = Terminal(screen, local=local)
    start(terminal)
    fail(terminal, log)
    terminal.close()
    assert f"error in invert (pool=p, shard=0): too bad [log: {log}]" in screen.getvalue()
    assert "Error in rule invert (pool=p, shard=0)" in screen.getvalue() and "jobs: 12" in screen.getvalue()


def test_pipe_names_the_log_of_a_failure_that_the_job_has_printed(log: Path) -> None:
    screen = Screen(interactive=False)
    terminal = Terminal(screen)
    start(terminal)
    fail(terminal, log)
    assert "too bad" not in screen.getvalue() and f"log: {log}" in screen.getvalue()


def test_dry_run_gives_a_line_a_job_and_then_the_counts() -> None:
    screen = Screen(interactive=True)
    terminal = Terminal(screen, dry_run=True)
    start(terminal)
    send(terminal, "run_info", "Job stats:\ninvert  1\ntotal  1\n", stats={"invert": 1, "total": 1})
    assert screen.getvalue() == "invert (pool=p, shard=0): Forced\nJob stats:\ninvert  1\ntotal  1\n\n"


def test_reasons_are_short() -> None:
    missing, follows = "Missing output files: c, b, a", "Input files updated by another job: d"
    assert short_reason(f"{missing}; {follows}") == "Missing output files: a, b and 1 more"
    assert short_reason(follows) == follows


def test_warnings_and_errors_are_whole() -> None:
    screen = Screen(interactive=False)
    terminal = Terminal(screen)
    script = "RuleException:\nCalledProcessError in file a.smk, line 1:\nCommand 'x'"
    send(terminal, "error", f"{script} returned non-zero exit status 1.", logging.ERROR)
    assert not screen.getvalue(), "the job itself has named this error"
    send(terminal, "error", f"{script} died with <Signals.SIGKILL: 9>.", logging.ERROR)
    assert "SIGKILL" in screen.getvalue()
    screen.truncate(0)
    screen.seek(0)
    send(terminal, None, "Select jobs: a warning", logging.WARNING)
    send(terminal, "error", "WorkflowError:\nline 1\nline 2", logging.ERROR)
    assert screen.getvalue() == "Select jobs: a warning\nWorkflowError:\nline 1\nline 2\n"


def test_only_the_handler_of_snakemake_is_replaced() -> None:
    logger = logging.Logger("test")
    other, default = logging.StreamHandler(io.StringIO()), logging.StreamHandler(io.StringIO())
    default.name = "DefaultStreamHandler"
    logger.addHandler(other)
    logger.addHandler(default)
    install(logger, dry_run=False, local=True)
    assert logger.handlers[0] is other and isinstance(logger.handlers[1], Terminal) and len(logger.handlers) == 2
