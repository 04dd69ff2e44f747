"""Which kernels the libraries compute with: the same ones on every x86-64 processor with AVX2, or those of this one.

Libraries choose kernels by the processor's instruction sets, and MKL by its vendor too; each kernel adds in another
order, and the last bits differ. ``docs/reproducibility.md`` says what was seen to differ, and what cannot be pinned.
"""

import ctypes
import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tgr.config.base import Processor
from tgr.errors import TgrError

PINS = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels: reductions, element-wise functions, random numbers
    # Matrix products, LAPACK. AVX2 would be faster, but MKL obeys that on Intel's processors only.
    "MKL_CBWR": "COMPATIBLE",
    # MKL's vector mathematics, e.g. the square root in Adam, does not obey MKL_CBWR alone: 3 are its AVX2 kernels.
    # Without it another vendor's processors take kernels that are built on approximations of their own.
    "MKL_VML_DEBUG_CPU_TYPE": "3",
    "OPENBLAS_CORETYPE": "Haswell",  # NumPy's and SciPy's matrix products, LAPACK
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # all that NumPy has beyond AVX2
}
"""Environment variables, read when a library is loaded."""
CPUINFO = Path("/proc/cpuinfo")


def environment(setting: Processor) -> dict[str, str]:
    """Return the environment variables of jobs for a value of the configuration's key ``processor``.

    Other architectures have kernels of their own, which these variables do not choose.

    Raises:
        TgrError: this processor has not got the kernels that the setting asks for.
    """
    if setting == "native" or platform.machine() not in ("x86_64", "AMD64"):
        return {}
    flags = _about_processor().get("flags", "avx2 fma").split()  # unknown outside Linux
    if not {"avx2", "fma"} <= set(flags):
        raise TgrError("processor: this one has no AVX2; set `processor: native`, and results will be its own")
    return dict(PINS)


def require(setting: Processor) -> None:
    """Refuse to compute with other kernels than the configuration says, e.g. where a scheduler drops the environment.

    Raises:
        TgrError: a variable is missing or another.
    """
    for name, value in environment(setting).items():
        if os.environ.get(name) != value:
            raise TgrError(
                f"processor: {setting}, but {name} is not {value!r} in this job; hand the environment to jobs"
            )


def describe() -> dict[str, Any]:
    """Return this processor's model, the environment that chooses kernels, and what loaded libraries say they use."""
    return {"model": model(), "environment": {name: os.environ.get(name) for name in PINS}, "kernels": kernels()}


def model() -> str:
    """Return the name of this processor, e.g. ``AuthenticAMD family 25 model 1: AMD EPYC``."""
    about = _about_processor()
    if "model name" not in about:
        return platform.processor() or platform.machine()
    family = f"{about.get('vendor_id')} family {about.get('cpu family')} model {about.get('model')}"
    return f"{family}: {about['model name']}"


def kernels() -> dict[str, Any]:
    """Return which kernels the libraries that this process has loaded say they use."""
    found: dict[str, Any] = {}
    if torch := sys.modules.get("torch"):
        found["torch"] = torch.backends.cpu.get_cpu_capability()
        found |= _kernels_of_mkl()
    if "numpy" in sys.modules:
        core: Any = import_module("numpy._core._multiarray_umath")
        found["numpy"] = [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]]
        found["openblas"] = _cores_of_openblas()
    return found


def _kernels_of_mkl() -> dict[str, int]:
    """Return the numbers that MKL inside PyTorch gives its branches: of CNR 1 is none, 3 COMPATIBLE; of VML 3 is AVX2.

    Empty if PyTorch was built without MKL.
    """
    try:
        library = ctypes.CDLL("libtorch_cpu.so", mode=os.RTLD_NOLOAD)
        return {
            "mkl_branch": int(library.mkl_serv_cbwr_get(1)),
            "mkl_vector_functions": int(library.mkl_vml_serv_cpu_detect()),
        }
    except (OSError, AttributeError):  # no such library (macOS), or no such function in it
        return {}


def _cores_of_openblas() -> list[str]:
    """Return the kinds of core for which the loaded OpenBLAS libraries compute."""
    from threadpoolctl import threadpool_info

    return sorted({str(library["architecture"]) for library in threadpool_info() if "architecture" in library})


@cache
def _about_processor() -> Mapping[str, str]:
    """Return what Linux says of the first core; elsewhere nothing."""
    if not CPUINFO.exists():
        return {}
    first = CPUINFO.read_text(encoding="utf-8").split("\n\n")[0]
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
