"""The probe: one fixed network through whose parameters all tasks are compared (Achille et al., ICCV 2019).

Its BatchNorm statistics also serve inversion, as a prior of natural images.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tgr import seeds
from tgr.artifacts import digest
from tgr.backbones.checkpoints import find_package_file, list_classifiers, load_in_order, read_checkpoint
from tgr.backbones.classifier import recalibrate_batchnorm
from tgr.backbones.fitting import Spelling, fit, own_names
from tgr.config.teachers import TaskSpace
from tgr.errors import TgrError

WEIGHTS_KEY = "task_space.weights"
OTHER_WEIGHTS = "set task_space.weights to a checkpoint file (.safetensors, .pth) or to random"


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
    import timm  # takes seconds, and most inversions have no prior of a probe

    if not timm.is_model(config.probe):
        raise TgrError(f"task_space.probe: timm has no model '{config.probe}'; see timm.list_models()")
    with seeds.forked("probe", config.probe):
        trunk: Any = timm.create_model(config.probe, num_classes=0)
    sha256 = ""
    if config.weights != "random":
        packaged = config.weights == "package"
        file = find_package_file(config.probe, WEIGHTS_KEY, OTHER_WEIGHTS) if packaged else Path(config.weights)
        checkpoint = read_checkpoint(file, WEIGHTS_KEY)
        (load_in_order if packaged else _load_by_name)(trunk, checkpoint.tensors, file)
        sha256 = digest(file)
    about = trunk.pretrained_cfg
    trunk.to(device).requires_grad_(False).eval()
    _check_image_size(trunk, config, device)
    if config.weights == "random":
        _calibrate(trunk, config, device)
    weights = config.weights if config.weights in ("package", "random") else file.name
    return Probe(config.probe, weights, sha256, trunk, tuple(about["mean"]), tuple(about["std"]))


def _load_by_name(trunk: Any, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Load tensors that carry timm's names, whatever classifier stands beside them."""
    classifiers = "|".join(re.escape(f"{name}.") for name in list_classifiers(trunk)) or "(?!)"
    try:
        fitted = fit(trunk, tensors, Spelling(own_names(trunk).names, ignored=classifiers))
    except TgrError as error:
        raise TgrError(f"{WEIGHTS_KEY}: {file}: {error}") from error
    if not fitted.fits:
        raise TgrError(f"{WEIGHTS_KEY}: {file}: does not fit the probe\n{fitted.describe()}")
    trunk.load_state_dict(fitted.state)


def _check_image_size(trunk: Any, config: TaskSpace, device: torch.device | str) -> None:
    """Raise TgrError if the probe cannot take images of the configured size."""
    try:
        with torch.no_grad():
            features = trunk(torch.zeros(1, 3, config.image_size, config.image_size, device=device))
    except (RuntimeError, AssertionError) as error:
        native_size = trunk.pretrained_cfg["input_size"][-1]
        raise TgrError(
            f"task_space.image_size: the probe {config.probe} cannot take images of {config.image_size} px ({error}); "
            f"its own size is {native_size}"
        ) from error
    if features.ndim != 2:
        raise TgrError(f"task_space.probe: {config.probe} gives features of shape {tuple(features.shape)}, not (n, d)")


def _calibrate(trunk: nn.Module, config: TaskSpace, device: torch.device | str) -> None:
    """Give a random probe BatchNorm statistics from smooth noise; without them its gradients vanish with depth."""
    noise = torch.randn(128, 3, 8, 8, generator=seeds.torch_generator("probe", config.probe, "calibration"))
    size = (config.image_size, config.image_size)
    images = nn.functional.interpolate(noise, size, mode="bilinear").to(device)
    recalibrate_batchnorm(trunk, list(images.split(32)))
