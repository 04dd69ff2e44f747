"""What a GPU does with this project: whether it computes the same, what a step costs, how many jobs share a card.

Run by hand, from the project's root, in two calls of four minutes each, with what `tgr` imports and pytest alone, so
without network and without Snakemake:

    python -m benchmarks.gpu check --out gpu.jsonl
    python -m benchmarks.gpu measure --out gpu.jsonl

`measure` also writes gpu.json, what a step of each stage takes by the number of its images, from which the plan
estimates GPU hours (`python -m tgr.plan FILE --gpu-costs gpu.json`); `costs` in its place measures nothing else.

Each row is written when it is known, with its error if it failed; rows that find no time left say so. `--device cpu
--quick` shows that the script works.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before torch is imported: the environment of jobs, and no progress bars between the rows.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import gpu_work as work
from tgr import devices, launches
from tgr.artifacts import write_json
from tgr.plan.gpu import GpuCosts

TESTS = ("tests/contract", "tests/numerics/test_golden.py", "tests/unit/test_evaluation.py", "tests/gpu/test_graphs.py")
PROCESSES = (1, 4, 8)
SECONDS = 5.0
"""Of a row of steps, at most, about."""
Row = Callable[[], dict[str, Any]]


class Log:
    """Writes rows, as long as there is time.

    Args:
        file: of JSON lines; rows are added.
        seconds: after which no row begins.
    """

    def __init__(self, file: Path, seconds: float) -> None:
        self._file, self._end = file, time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until no row begins any more."""
        return self._end - time.monotonic()

    def row(self, name: str, measure: Row) -> dict[str, Any]:
        """Add what a measurement returns, or its error: a row that fails must not take the others with it."""
        started, values = time.perf_counter(), {}
        if self.left <= 0:
            values = {"skipped": "no time left"}
        else:
            try:
                values = measure()
            except Exception as error:
                values = {"error": f"{type(error).__name__}: {str(error)[:500]}"}
        line = json.dumps({"row": name, **values, "took_s": round(time.perf_counter() - started, 2)})
        print(line, flush=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        return values


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["check", "measure", "costs", "worker"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("gpu.jsonl"), help="rows; costs are beside it, in .json")
    parser.add_argument("--seconds", type=float, default=210, help="after which no row begins")
    parser.add_argument("--quick", action="store_true", help="as small as it gets: only to see that the script works")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = devices.resolve(options.device)
    devices.prepare(device, "ieee")
    if options.part == "worker":
        work.pretrain(device, teachers=1 if options.quick else 4, epochs=1 if options.quick else 14)
        return
    log = Log(options.out, options.seconds)
    if options.part == "check":
        check(log, device, quick=options.quick)
        return
    costs(log, device, options.out.with_suffix(".json"), quick=options.quick)
    if options.part == "measure":
        measure(log, device, quick=options.quick)


def check(log: Log, device: torch.device, *, quick: bool) -> None:
    """Write what there is, and whether it computes what the CPU does, twice the same."""
    log.row("versions", lambda: versions(device))
    for precision in ("ieee", "tf32"):
        log.row(f"ceiling {precision}", lambda precision=precision: ceiling(device, precision, 256 if quick else 8192))
    log.row("ceiling copies", lambda: copies(device, 2**20 if quick else 2**28))
    for name, compute in work.COMPARED.items():
        log.row(f"float64 {name}", lambda compute=compute: work.compare(compute, device))
    for name, stage in work.stages(device, quick=quick):
        log.row(f"twice {name}", lambda stage=stage: work.run_twice(stage))
    log.row("tests", lambda: tests(device, min(log.left, 150), quick=quick))


def measure(log: Log, device: torch.device, *, quick: bool) -> None:
    """Write what a step of each stage costs, what processes gain that share a card, and the main experiment, small."""
    log.row("main experiment", lambda: work.main_experiment(device, quick=quick))
    for count in (1, 2) if quick else PROCESSES:
        log.row(f"processes {count}", lambda count=count: together(count, device, quick=quick))
    ways = [("ieee", "eager", None), ("ieee", "graph", work.RECORDED), ("tf32", "eager", work.MAY_ROUND)]
    for precision, how, names in ways if device.type == "cuda" else ways[:1]:
        for name, run in work.steps(device, quick=quick):
            if names is None or name in names:
                row = f"step {name}, {precision}, {how}"
                log.row(row, lambda way=(run, device, precision, how): step(*way, quick=quick))


def costs(log: Log, device: torch.device, output: Path, *, quick: bool) -> None:
    """Write the unit costs of the device, if all rows that they need are there."""
    found: dict[str, dict[str, float]] = {}
    for stage, images, run in work.unit_steps(device, quick=quick):
        values = log.row(
            f"cost {stage}, {images} images", lambda run=run: step(run, device, "ieee", "eager", quick=quick)
        )
        if "ms" in values:
            found.setdefault(stage, {})[str(images)] = values["ms"]

    def save() -> dict[str, Any]:
        about = devices.describe(device) or {"name": "no GPU, one core"}
        options = f" --device {device}" + (" --quick" if quick else "")
        table = {
            "command": f"python -m benchmarks.gpu costs{options}",
            "machine": f"{about['name']}, torch {torch.__version__}",
            "step_ms": found,
        }
        GpuCosts.model_validate(table)
        write_json(output, table)
        return {"file": str(output)}

    log.row("costs", save)


def versions(device: torch.device) -> dict[str, Any]:
    """Return versions, and what is known of the device."""
    from tgr.run.gpus import list_cards

    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "device": str(device),
        "about": devices.describe(device),
        "cards": [vars(card) for card in list_cards()],
        "built_for": torch.cuda.get_arch_list() if device.type == "cuda" else [],
        "cores": os.cpu_count(),
    }


def ceiling(device: torch.device, precision: str, size: int) -> dict[str, Any]:
    """Return how many multiplications and additions of float32 a second a matrix product does."""
    matrix = torch.randn(size, size).to(device)
    with devices.exact():
        devices.set_precision(precision)
        seconds = timed(lambda: matrix @ matrix, device, 3)
    return {"size": size, "tflops": round(2 * size**3 / seconds / 1e12, 3)}


def copies(device: torch.device, size: int) -> dict[str, Any]:
    """Return the bandwidth on the device and to it, and the time of a launch and of a wait."""
    there, here = torch.zeros(size, device=device), torch.zeros(size // 8)
    one = torch.zeros(1, device=device)
    return {
        "on_device_gb_s": round(8 * size / timed(lambda: there.add_(1), device, 3) / 1e9, 1),
        "to_device_gb_s": round(4 * len(here) / timed(lambda: here.to(device), device, 3) / 1e9, 2),
        "launch_us": round(1e6 * timed(lambda: [one.add_(1) for _ in range(1000)], device, 3) / 1000, 2),
        "wait_us": round(1e6 * timed(lambda: [one.add_(1).item() for _ in range(1000)], device, 3) / 1000, 2),
    }


def timed(run: Callable[[], object], device: torch.device, rounds: int) -> float:
    """Return the least seconds of some rounds, the first one apart."""
    least = float("inf")
    for index in range(rounds + 1):
        wait(device)
        started = time.perf_counter()
        run()
        wait(device)
        least = min(least, time.perf_counter() - started) if index else least
    return least


def wait(device: torch.device) -> None:
    """Wait for all that a device has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def step(
    run: Callable[[int], object], device: torch.device, precision: str, how: str, *, quick: bool
) -> dict[str, Any]:
    """Return milliseconds a step, the share of that time in which kernels run, and the largest memory.

    Args:
        run: takes a number of steps; what happens once, a recording too, is taken off by a second, shorter run.
        how: ``eager`` or ``graph``.
    """
    launches.choose(how)
    short, most = (1, 2) if quick else (launches.WARM_UP + 2, 40)
    with devices.exact():
        devices.set_precision(precision)
        run(short)  # the first calls load kernels
        more = max(2, min(most, int(SECONDS * short / timed_once(run, short, device))))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        seconds = [timed_once(run, steps, device) for steps in (short, short + more)]
        # Of a few steps on a busy machine the difference may be below zero.
        values = {"ms": max(0.001, round(1000 * (seconds[1] - seconds[0]) / more, 3)), "steps": more}
        if device.type == "cuda":
            values |= {
                "peak_mb": round(torch.cuda.max_memory_allocated(device) / 1e6, 1),
                **kernels(run, short, device),
            }
    values["launches"] = launches.used()
    launches.choose("eager")
    return values


def timed_once(run: Callable[[int], object], steps: int, device: torch.device) -> float:
    """Return the seconds of a run."""
    wait(device)
    started = time.perf_counter()
    run(steps)
    wait(device)
    return time.perf_counter() - started


def kernels(run: Callable[[int], object], steps: int, device: torch.device) -> dict[str, Any]:
    """Return the share of a run's time in which kernels run, and their number a step."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as recorded:
        seconds = timed_once(run, steps, device)
    found = [event for event in recorded.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    busy = sum(event.time_range.elapsed_us() for event in found) / 1e6
    return {"kernel_share": round(busy / seconds, 3), "kernels_a_step": round(len(found) / steps)}


def together(count: int, device: torch.device, *, quick: bool) -> dict[str, Any]:
    """Return the seconds of some processes side by side that each train teachers; their start is part of it."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.gpu",
        "worker",
        "--device",
        str(device),
        *(["--quick"] if quick else []),
    ]
    started = time.perf_counter()
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(count)]
    errors = [process.communicate()[1].decode()[-300:] for process in processes]
    failed = [error for process, error in zip(processes, errors, strict=True) if process.returncode]
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 2), "seconds_each": round(seconds / count, 2), "failed": failed}


def tests(device: torch.device, seconds: float, *, quick: bool) -> dict[str, Any]:
    """Return how the tests of devices end on this one."""
    few = ["-k", "dro or test_losses_of_bank"] if quick else []
    command = [sys.executable, "-m", "pytest", "-q", "-m", "device", "-p", "no:cacheprovider", *few, *TESTS]
    with tempfile.TemporaryFile() as file:  # holds the output of a program that is killed, too
        try:
            environment = os.environ | {"TGR_TEST_DEVICE": device.type}
            subprocess.run(command, env=environment, stdout=file, stderr=file, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            file.write(b"\nout of time")
        file.seek(0)
        lines = file.read().decode(errors="replace").splitlines()
    return {"end": lines[-1:], "failed": [line for line in lines if line.startswith(("FAILED", "ERROR"))]}


if __name__ == "__main__":
    main()
