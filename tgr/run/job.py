"""Running a stage as a job of the workflow: log, complete outputs or none, provenance, readable errors.

Every script in ``workflow/scripts`` is one ``with job.stage(snakemake) as run:`` block around the call of a stage. The
object ``snakemake`` is only looked at, so that a stand-in with the same attributes serves as well.
"""

import hashlib
import inspect
import logging
import os
import platform
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from tgr import __version__
from tgr.artifacts import atomic, digest, provenance_path, read_frame, read_json
from tgr.config.base import Processor, Section
from tgr.errors import escape_controls
from tgr.run import processor
from tgr.run.device import Device, ready_device
from tgr.run.provenance import file_digests, verified_digest, write_record
from tgr.run.remedies import remedy

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""The unit in which the system states the largest resident size."""
OWNER = "TGR_WORKFLOW_PID"
"""Environment variable: the process without which a job has no purpose, as ``<number>@<host>``."""
LIBRARIES = {"sklearn": "scikit-learn"} | {
    name: name
    for name in ("torch", "timm", "numpy", "scipy", "pandas", "pyarrow", "safetensors", "matplotlib", "seaborn")
}
"""Modules whose version provenance records if they were imported, and their distributions."""
WARNING = "WARNING: "
"""How a line begins with which a stage warns of its input."""
TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}
"""How logs are written: names of files may hold bytes that are no text."""
CODE = "code"
"""The input that holds a stage's source files."""
Result = TypeVar("Result")


def owner() -> str:
    """Return this process as a value of the environment variable ``OWNER``."""
    return f"{os.getpid()}@{socket.gethostname()}"


def environment(repository: str, kernels: Processor) -> dict[str, str]:
    """Return the environment of jobs that this process starts.

    One thread a job: results then do not depend on the number of cores, and as many jobs as cores are faster. Without
    the two ``MALLOC_`` variables glibc returns big blocks to the kernel after each training step.

    Args:
        repository: the folder of this package.
        kernels: the configuration's ``processor``.

    Raises:
        TgrError: this processor has not got these kernels.
    """
    return processor.environment(kernels) | {
        OWNER: owner(),
        "PYTHONPATH": os.pathsep.join(filter(None, [repository, os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_MMAP_THRESHOLD_": "4294967296",
        "MALLOC_TRIM_THRESHOLD_": "4294967296",
        "MPLBACKEND": "Agg",
        "SOURCE_DATE_EPOCH": "0",
        "TQDM_MININTERVAL": "5",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # cards have the numbers that nvidia-smi gives them
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it products on a GPU need not be repeatable
    }


@dataclass(frozen=True)
class Run:
    """What a script needs of its job.

    Attributes:
        wildcards: the job's wildcards, as attributes.
        params: the job's parameters, as attributes.
        input: the named inputs, as attributes: a path, or a list of paths.
        output: the named outputs, as attributes: temporary paths, renamed when the block succeeds.
        device: the torch device that the parameter ``device`` means; None without that parameter.
    """

    wildcards: SimpleNamespace
    params: SimpleNamespace
    input: SimpleNamespace
    output: SimpleNamespace
    device: Any

    def call(self, function: Callable[..., Result], **more: Any) -> Result:
        """Call a function whose parameters are named like the rule's outputs, inputs, parameters and wildcards.

        Values take the types that the function names: a section of the configuration is made from a mapping, a number
        from a wildcard, None from an input without a file, a data frame from a Parquet or CSV file, a mapping from a
        JSON file, an object of a class with a method ``load`` from the file that it loads. ``device`` is the torch
        device.

        Args:
            function: takes keyword-only parameters.
            more: values that the rule does not know, or that replace those of the rule.

        Raises:
            TypeError: a parameter without a default has no value.
        """
        hints = get_type_hints(function)
        parts = (self.output, self.input, self.params, self.wildcards)
        values = {name: value for part in reversed(parts) for name, value in vars(part).items()}
        if "device" in values:
            values["device"] = self.device
        values |= more
        names = [name for name in inspect.signature(function).parameters if name in values]
        return function(**{name: _typed(values[name], hints.get(name)) for name in names})


def _typed(value: Any, hint: Any) -> Any:
    """Return a value of a job as the type that a function wants, e.g. the wildcard ``"5"`` as the number 5."""
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if isinstance(value, list):
        if not value and NoneType in choices:
            return None
        [element, *_] = get_args(choices[0]) or (None,)
        return [_typed(item, element) for item in value]
    if isinstance(value, Path):
        return _read(value, choices[0])
    for choice in choices:
        if isinstance(value, Mapping) and isinstance(choice, type) and issubclass(choice, Section):
            return choice.model_validate(value)
    return int(value) if isinstance(value, str) and choices == (int,) else value


def _read(file: Path, hint: Any) -> Any:
    """Return what a file holds as the type of a parameter, e.g. a data frame; its path if no such type reads files."""
    if getattr(hint, "__name__", None) == "DataFrame":
        return read_frame(file)
    if get_origin(hint) is Mapping:
        return read_json(file)
    return hint.load(file) if hasattr(hint, "load") else file


@contextmanager
def stage(snakemake: Any) -> Iterator[Run]:
    """Run a stage inside the block.

    All that is printed goes into the job's log. Outputs appear under their final names together, with their provenance,
    and only when the block succeeds. An error that the user can mend becomes one line on stderr and exit code 1; the
    traceback of any other one is in the log.

    Args:
        snakemake: the object that Snakemake hands to a script: ``rule``, ``wildcards``, ``params``, ``input``,
            ``output`` and ``log``.
    """
    started = time.perf_counter()
    _follow_owner()
    try:
        with _logged(snakemake), _terminable():
            _use_one_thread()
            if (kernels := dict(snakemake.params.items()).get("processor")) is not None:
                processor.require(kernels)
            with ready_device(snakemake) as device, _complete_outputs(snakemake, started, device) as run:
                yield run
            print("done")
        _repeat_warnings(snakemake)
    except Exception as error:
        _fail(snakemake, error)


@contextmanager
def _complete_outputs(snakemake: Any, started: float, device: Device) -> Iterator[Run]:
    """Yield the job with temporary outputs; rename them when the block succeeds, delete them otherwise."""
    final = {name: Path(path) for name, path in snakemake.output.items()}
    inputs = {name: _paths(value) for name, value in snakemake.input.items()}
    wildcards, params = dict(snakemake.wildcards.items()), dict(snakemake.params.items())
    digests = {name: _digests(value) for name, value in inputs.items()}
    with ExitStack() as stack:
        output = {name: stack.enter_context(atomic(path)) for name, path in final.items()}
        named = {"wildcards": wildcards, "params": params, "input": inputs, "output": output}
        yield Run(**{name: SimpleNamespace(**part) for name, part in named.items()}, device=device.torch)
        for name, path in final.items():
            if not output[name].exists():
                raise RuntimeError(f"the stage did not write {path}")
        record = _provenance(snakemake.rule, wildcards, params, digests, device) | {
            "wall_seconds": round(time.perf_counter() - started, 2),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES / 1e6),
        }
        for name, path in final.items():
            described = {"output": path.as_posix(), "sha256": digest(output[name])} | record
            described["files"] = file_digests(output[name], path.name)
            is_folder = output[name].is_dir()
            beside = provenance_path(output[name]) if is_folder else stack.enter_context(atomic(provenance_path(path)))
            write_record(beside, described)


def _digests(paths: Path | list[Path]) -> dict[str, str]:
    """Return the digest of each path, relative to the working directory; artefacts must equal their records."""
    return {_relative(path): verified_digest(path) for path in (paths if isinstance(paths, list) else [paths])}


def _provenance(
    rule: str,
    wildcards: Mapping[str, str],
    params: Mapping[str, Any],
    digests: Mapping[str, dict[str, str]],
    device: Device,
) -> dict[str, Any]:
    """Say how outputs were made."""
    files = dict(digests)
    code = files.pop(CODE, {})
    torch = sys.modules.get("torch")
    return {
        "rule": rule,
        "wildcards": dict(wildcards),
        "params": dict(params),
        "seed": params.get("seed", wildcards.get("seed")),
        "inputs": files,
        "code": {
            "files": [_in_repository(path) for path in code],
            "sha256": hashlib.sha256("".join(code.values()).encode()).hexdigest(),
        },
        "versions": {"python": platform.python_version(), "tgr": __version__}
        | {name: version(name) for module, name in LIBRARIES.items() if module in sys.modules},
        **device.describe(),
        "processor": processor.describe(),
        "threads": torch.get_num_threads() if torch else 1,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _paths(value: Any) -> Path | list[Path]:
    return Path(value) if isinstance(value, str | Path) else [Path(item) for item in value]


def _relative(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()


def _in_repository(path: str) -> str:
    return Path(os.path.relpath(path, Path(__file__).parents[2])).as_posix()


def _use_one_thread() -> None:
    """Keep results independent of the number of cores: sums are split among threads."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@contextmanager
def _logged(snakemake: Any) -> Iterator[None]:
    """Send stdout and stderr, of C code too, to the log inside the block."""
    stderr = os.dup(2)
    stdout = os.dup(1)
    log = _log(snakemake)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", buffering=1, **TEXT) as file, redirect_stdout(file), redirect_stderr(file):
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            handler = logging.StreamHandler(file)
            handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
            logging.getLogger().addHandler(handler)
            try:
                yield
            finally:
                logging.getLogger().removeHandler(handler)
    finally:
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.close(stdout)
        os.close(stderr)


def _log(snakemake: Any) -> Path:
    return Path(next(iter(snakemake.log), os.devnull))


def _fail(snakemake: Any, error: Exception) -> NoReturn:
    """Print one line on stderr and into the log, for an unexpected error with its traceback, and exit with code 1."""
    message = remedy(error, snakemake.rule)
    lines = (message or f"unexpected {type(error).__name__}: {error}").splitlines()
    reason = " | ".join(map(escape_controls, lines))
    line = f"error in {_describe(snakemake)}: {reason}"
    with suppress(OSError), _log(snakemake).open("a", **TEXT) as file:  # the disk may be full
        if message is None:
            traceback.print_exception(error, file=file)
        print(line, file=file)
    log = f" [log: {_log(snakemake)}]" if snakemake.log else ""
    os.write(2, f"{line}{log}\n".encode())
    raise SystemExit(1)


def _repeat_warnings(snakemake: Any) -> None:
    """Print on stderr what a stage warned of in its log, which few people open if all went well."""
    for line in _log(snakemake).read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(WARNING):
            warning = escape_controls(line.removeprefix(WARNING))
            os.write(2, f"warning in {_describe(snakemake)}: {warning}\n".encode())


def _describe(snakemake: Any) -> str:
    """Name a job by its rule and wildcards."""
    wildcards = ", ".join(f"{name}={value}" for name, value in snakemake.wildcards.items())
    return f"{snakemake.rule} ({wildcards})" if wildcards else str(snakemake.rule)


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exit that cleans up."""

    def leave(*_: Any) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _follow_owner() -> None:
    """End this process soon after the one that started the workflow is gone, even by ``kill -9``: a job that outlives
    its workflow would write beside the job that replaces it. On another host that number means nothing, and the job
    belongs to the scheduler that started it there."""
    process, _, host = os.environ.get(OWNER, "").partition("@")
    if host == socket.gethostname():
        threading.Thread(target=_watch, args=(int(process),), daemon=True).start()


def _watch(owner: int) -> NoReturn:
    while _alive(owner):
        time.sleep(1)
    os._exit(1)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
