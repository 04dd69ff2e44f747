"""What a run of the workflow prints: one line a job and its progress, instead of Snakemake's lists of files.

On a terminal the last line shows the progress, the remaining time and the jobs that run; above it there is a line for
each finished job. Elsewhere there is a line when a job starts and one when it ends. All that Snakemake has to say goes
into its log file, `.snakemake/log/*.snakemake.log`, as ever.
"""

import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

SNAKEMAKES = "DefaultStreamHandler"
"""The name of Snakemake's handler for the terminal."""
NOISE = re.compile(
    r"(Assuming unrestricted|Building DAG|Conda environments|Execute \d+ jobs|Exiting because a job"
    r"|Group jobs: inactive|Job rate limit|Provided |Reasons:|Rules claiming|Select jobs|Using shell|host:)"
)
EXIT_OF_A_SCRIPT = re.compile(r"RuleException:\nCalledProcessError.* returned non-zero exit status 1\.$", re.DOTALL)
"""What Snakemake says of a script that ended with an error; the script has named the error itself."""
FOLLOWS = "Input files updated by another job"
FILES_OF_A_REASON = 2
"""How many files of a reason a dry run names."""


def install(logger: logging.Logger, *, dry_run: bool, local: bool) -> None:
    """Put a `Terminal` in the place of Snakemake's handler; do nothing where that is missing, e.g. with ``--logger``.

    Args:
        logger: Snakemake's.
        dry_run: jobs are listed with the reason to run them, and not followed.
        local: jobs run on this machine, so that what they print is seen here.
    """
    for handler in list(logger.handlers):
        if handler.name == SNAKEMAKES and isinstance(handler, logging.StreamHandler):
            logger.removeHandler(handler)
            logger.addHandler(Terminal(handler.stream, dry_run=dry_run, local=local))


class Terminal(logging.Handler):
    """Prints the events of a run.

    Args:
        stream: where to.
        dry_run, local: see `install`.
    """

    def __init__(self, stream: TextIO, *, dry_run: bool = False, local: bool = True) -> None:
        super().__init__()
        self.stream, self.dry_run, self.local = stream, dry_run, local
        self.interactive = stream.isatty()
        self.jobs: dict[int, str] = {}
        self.running: dict[int, float] = {}
        self.done = self.total = 0
        self.bar: Any = None
        self.ended = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a record of Snakemake says."""
        try:
            event = getattr(record, "event", None)
            action = getattr(self, f"on_{event}", None) if event else self.on_message
            if action:
                action(record)
        except Exception:
            self.handleError(record)

    def on_message(self, record: logging.LogRecord) -> None:
        """Print a message that is no event, unless it says nothing new."""
        text = record.getMessage()
        if record.msg and (record.levelno >= logging.WARNING or not NOISE.match(text)):
            self.print(text.strip("\n"))

    def on_error(self, record: logging.LogRecord) -> None:
        """Print what is wrong with the workflow or a job, unless the job says it better."""
        if not EXIT_OF_A_SCRIPT.match(record.getMessage().strip("\n")):
            self.on_message(record)

    def on_run_info(self, record: logging.LogRecord) -> None:
        """Print how many jobs of each rule there are, and start to follow them.

        A dry run says this before the list of jobs and after it; printed after it, it is seen without scrolling.
        """
        if not self.dry_run or self.total:
            self.print(record.getMessage().strip("\n") + "\n")
        self.total = vars(record)["stats"]["total"]
        if self.interactive and not self.dry_run:
            form = "{n_fmt}/{total_fmt} jobs {percentage:3.0f}% |{bar:20}| {elapsed}, about {remaining} left{postfix}"
            self.bar = tqdm(total=self.total, file=self.stream, bar_format=form, dynamic_ncols=True, smoothing=0)
            threading.Thread(target=self._tick, daemon=True).start()

    def on_job_info(self, record: logging.LogRecord) -> None:
        """Say that a job starts, or why it would."""
        job = vars(record)
        name = self.jobs[job["jobid"]] = job_name(job["rule_name"], job["wildcards"])
        if self.dry_run:
            self.print(f"{name}: {short_reason(job['reason'])}")
            return
        self.running[job["jobid"]] = time.monotonic()
        if not self.bar:
            self.print(f"start  {name}")

    def on_job_finished(self, record: logging.LogRecord) -> None:
        """Say that a job is done, and how long it took."""
        number = vars(record)["job_id"]
        self.done += 1
        started = self.running.pop(number, time.monotonic())
        seconds = tqdm.format_interval(time.monotonic() - started)
        if self.bar:
            self.bar.n = self.done
            self.show_running()
        self.print(f"done   {self.jobs.get(number, number)} in {seconds} [{self.done}/{self.total}]")
        if self.done == self.total:
            self._end_progress()

    def on_job_error(self, record: logging.LogRecord) -> None:
        """Say that a job failed, and why if the terminal does not show it already."""
        job = vars(record)
        name = self.jobs.get(job["jobid"]) or job["rule_name"]
        self.running.pop(job["jobid"], None)
        self.print(f"Error in rule {name}")
        reason = None if self.local and not self.interactive else reason_in(job["log"])
        lines = [reason, job["rule_msg"], *(f"{key}: {value}" for key, value in job["aux"].items())]
        if not reason:
            lines += [f"log: {log}" for log in job["log"]]
        for line in filter(None, lines):
            self.print(f"       {line}")

    def on_group_error(self, record: logging.LogRecord) -> None:
        """Name the logs of a failed submission; its jobs follow as errors of their own."""
        for log in vars(record)["aux_logs"]:
            self.print(f"Error in a group of jobs [log: {log}]")

    def print(self, text: str) -> None:
        """Print lines above the progress."""
        if self.bar:
            self.bar.write(text, file=self.stream)
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the progress as it is."""
        self._end_progress()
        super().close()

    def show_running(self) -> None:
        """Bring the progress up to date, with the jobs that run."""
        self.acquire()
        try:
            if self.bar:
                self.bar.set_postfix_str(", ".join(self.jobs[number] for number in self.running))
        finally:
            self.release()

    def _end_progress(self) -> None:
        self.ended.set()
        if self.bar:
            self.bar.set_postfix_str("", refresh=False)
            self.bar.close()
            self.bar = None

    def _tick(self) -> None:
        while not self.ended.wait(1):
            self.show_running()


def job_name(rule: str, wildcards: Mapping[str, str]) -> str:
    """Return a job's rule and wildcards in one line, as in the messages of failed jobs."""
    values = ", ".join(f"{key}={value}" for key, value in wildcards.items())
    return f"{rule} ({values})" if values else rule


def short_reason(reason: str) -> str:
    """Return why a job runs, with no more than a few of the files that Snakemake names.

    That inputs are made anew is left out where there is another reason.
    """
    parts = [part.partition(": ") for part in reason.split("; ")]
    if len(parts) > 1:
        parts = [part for part in parts if part[0] != FOLLOWS]
    return "; ".join(f"{head}{colon}{few(sorted(files.split(', ')))}" for head, colon, files in parts)


def few(names: list[str]) -> str:
    """Return the first of many names, and how many more there are."""
    left = len(names) - FILES_OF_A_REASON
    return ", ".join(names[:FILES_OF_A_REASON]) + (f" and {left} more" if left > 0 else "")


def reason_in(logs: Iterable[str]) -> str | None:
    """Return the line in which a job says why it failed, which is the last of its log, and where the log is."""
    for log in logs:
        try:
            lines = Path(log).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        if lines and lines[-1].startswith("error in "):
            return f"{lines[-1]} [log: {log}]"
    return None
