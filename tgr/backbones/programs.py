"""Programs from elsewhere, TorchScript and torch.export: loaded only after a look into their archives.

A program is code, and PyTorch's own loaders trust it: ``torch.export.load`` unpickles parts of an archive without
``weights_only``, looks operators up by any path below ``torch``, evaluates symbolic expressions and compiles names as
Python source. Here an archive is read once, judged, and handed to the loader from memory, so that what was judged is
what is loaded. This keeps accidents and plain attacks out; it is no sandbox.
"""

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from tgr.artifacts import refuse_bombs
from tgr.backbones.archives import check_exported, check_torchscript
from tgr.errors import TgrError, first_line

SUFFIXES = {"torchscript": ".pt", "exported": ".pt2"}


class Program(nn.Module):
    """A loaded program in evaluation mode: normalised images (n, 3, size, size) to logits (n, n_classes).

    Its weights are not parameters of this module: nothing may train them, and exported programs refuse ``eval()``.
    """

    def __init__(self, run: Callable[[Tensor], Tensor], device: torch.device) -> None:
        super().__init__()
        self.run = run
        self.device = device

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, n_classes)."""
        return self.run(images.contiguous())


def load_program(file: Path, kind: str, device: torch.device | str = "cpu") -> Program:
    """Load a program.

    Args:
        kind: ``torchscript`` or ``exported``.

    Raises:
        TgrError: the file is missing, damaged, no such program, or holds what could run other code.
    """
    members = _read_members(file, kind)
    check, load = LOADERS[kind]
    archive = _write_archive(check(members, file))
    device = torch.device(device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # TorchScript is deprecated, but models of it are around
            return Program(load(archive, device), device)
    except Exception as error:  # whatever the loader of a foreign program may raise
        raise TgrError(
            f"{file}: damaged, no {kind} program, or one of another PyTorch than {torch.__version__} "
            f"({first_line(error)})"
        ) from error


def _load_torchscript(archive: io.BytesIO, device: torch.device) -> Callable[[Tensor], Tensor]:
    return _freeze(torch.jit.load(archive, map_location=device).eval())


def _load_exported(archive: io.BytesIO, device: torch.device) -> Callable[[Tensor], Tensor]:
    program = torch.export.load(archive)
    if device.type != "cpu":
        program = move_to_device_pass(program, device)
    return _freeze(program.module(check_guards=False))


def _freeze(module: nn.Module) -> Callable[[Tensor], Tensor]:
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module.__call__  # not the module itself, which would become a part of ``Program``


LOADERS = {"torchscript": (check_torchscript, _load_torchscript), "exported": (check_exported, _load_exported)}


def _read_members(file: Path, kind: str) -> dict[str, bytes]:
    """Read the members of a zip archive, named without their common first folder."""
    refuse_bombs(file)
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            members = {name.partition("/")[2]: archive.read(name) for name in names}
    except FileNotFoundError as error:
        raise TgrError(f"{file}: no such file") from error
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise TgrError(f"{file}: refused, because it is no archive of a {kind} program ({error})") from error
    if len(members) != len(names) or len({name.partition("/")[0] for name in names}) != 1:
        raise TgrError(f"{file}: refused, because its archive is irregular; save the program again")
    return members


def _write_archive(members: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(f"program/{name}", content)
    buffer.seek(0)
    return buffer
