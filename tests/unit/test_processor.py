"""The same kernels on every processor: what is pinned, that libraries obey, and that jobs refuse anything else."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tgr.data.roots import square_root
from tgr.errors import TgrError
from tgr.run import processor

CONVOLUTION = "import torch; torch.nn.Conv2d(16, 16, 3)(torch.ones(8, 16, 16, 16))"
SQUARE_ROOTS = """
import numpy, torch
values = numpy.random.default_rng(0).uniform(0.01, 4, 100_000).astype(numpy.float32)
print(int((torch.from_numpy(values).sqrt().numpy() != numpy.sqrt(values)).sum()))
"""
KERNELS = """
import json, numpy, torch
from tgr.run import processor
print(json.dumps(processor.describe()))
"""


def run(code: str, setting: processor.Processor, **more: str) -> str:
    """Return what a new process prints that runs in the environment of jobs."""
    inherited = {name: value for name, value in os.environ.items() if name not in processor.PINS}
    environment = inherited | processor.environment(setting) | more
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file in place of Linux's description of the processor."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "CPUINFO", file)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    processor._about_processor.cache_clear()
    yield file
    processor._about_processor.cache_clear()


def test_native_pins_nothing() -> None:
    assert processor.environment("native") == {}


def test_libraries_obey() -> None:
    described = json.loads(run(KERNELS, "pinned"))
    assert described["environment"] == processor.PINS and described["model"]
    assert described["kernels"] == {
        "torch": "AVX2",
        "mkl_branch": 3,
        "mkl_vector_functions": 3,
        "numpy": ["X86_V3"],
        "openblas": ["Haswell"],
    }


def test_without_pins_mkl_chooses_by_itself() -> None:
    described = json.loads(run(KERNELS, "native"))
    assert set(described["environment"].values()) == {None} and described["kernels"]["mkl_branch"] == 1


def test_onednn_convolves_with_avx2() -> None:
    shown = run(CONVOLUTION, "pinned", ONEDNN_VERBOSE="all")
    assert re.search(r"cpu,isa:(.*)", shown)[1] == "Intel AVX2"
    (kernel,) = re.findall(r"primitive,exec,cpu,convolution,([\w:]+)", shown)
    assert "avx2" in kernel


def test_square_roots_are_those_of_the_standard() -> None:
    """On AMD's processors, MKL takes kernels of approximations unless told otherwise: one root in seven was another."""
    assert run(SQUARE_ROOTS, "pinned") == "0\n"


def test_square_roots_in_double_precision_are_nearly_exact() -> None:
    values = torch.rand(10_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4
    torch.testing.assert_close(square_root(values), torch.from_numpy(np.sqrt(values.numpy())), rtol=4.5e-16, atol=0)
    assert square_root(torch.tensor([0.0, 4.0], dtype=torch.float64)).tolist() == [0, 2]


def test_all_that_numpy_has_beyond_avx2_is_named() -> None:
    core: Any = import_module("numpy._core._multiarray_umath")
    beyond = [name for name in core.__cpu_dispatch__ if name != "X86_V3"]
    assert processor.PINS["NPY_DISABLE_CPU_FEATURES"].split() == beyond


def test_processor_without_avx2_is_refused(cpuinfo: Path) -> None:
    cpuinfo.write_text("vendor_id\t: GenuineIntel\nmodel name\t: Old\nflags\t: sse2 avx\n\nprocessor\t: 1\n")
    with pytest.raises(TgrError, match="has no AVX2; set `processor: native`"):
        processor.environment("pinned")
    assert processor.environment("native") == {}


def test_model_names_vendor_and_family(cpuinfo: Path) -> None:
    about = {"vendor_id": "AuthenticAMD", "cpu family": "25", "model": "1", "model name": "AMD EPYC"}
    cpuinfo.write_text("".join(f"{key}\t: {value}\n" for key, value in about.items()) + "\n")
    assert processor.model() == "AuthenticAMD family 25 model 1: AMD EPYC"


def test_other_architectures_have_no_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert processor.environment("pinned") == {}


def test_lost_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    processor.require("pinned")
    monkeypatch.delenv("MKL_CBWR")
    processor.require("native")
    with pytest.raises(TgrError, match="processor: pinned, but MKL_CBWR is not 'COMPATIBLE'"):
        processor.require("pinned")
