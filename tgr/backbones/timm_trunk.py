"""Any model of timm as a trunk, built for an image size; one that cannot take it is refused with the reason."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tgr.errors import TgrError, first_line

Option = bool | int | float | str
RESERVED = {
    "num_classes": "the suite adds its own head",
    "in_chans": "images here have three channels",
    "img_size": "it is the size of the pool's images",
    "pretrained": "the suite downloads nothing; list existing weights in a table of models",
    "checkpoint_path": "list existing weights in a table of models",
}
"""Arguments of ``timm.create_model`` that the suite sets itself, and why."""


def timm_trunk(name: str, image_size: int, options: Mapping[str, Option]) -> tuple[nn.Module, int]:
    """Build a timm model without its classifier, with weights drawn from torch's global generator.

    Args:
        name: its timm name.
        image_size: input size in pixels; models with a fixed grid, such as vision transformers, are built for it.
        options: further arguments of the model.

    Returns:
        The trunk, in training mode, and its feature length.

    Raises:
        TgrError: there is no such model, it does not take an option, cannot take RGB images of this size, or does not
            give feature vectors.
    """
    import timm

    if not timm.is_model(name):
        raise TgrError(f"timm has no model '{name}'; see timm.list_models()")
    for key in options:
        if key in RESERVED or key.startswith("pretrained_"):
            raise TgrError(f"timm:{name}: the option {key} is not free: {RESERVED.get(key, RESERVED['pretrained'])}")
    trunk = _create(name, image_size, dict(options))
    channels = trunk.pretrained_cfg.get("input_size", (3,))[0]
    if channels != 3:
        raise TgrError(f"timm:{name} takes images of {channels} channels, but images here have three")
    try:
        with torch.no_grad():
            features = trunk.eval()(torch.zeros(2, 3, image_size, image_size))
    except Exception as error:  # whatever a foreign model may raise
        advice = _suggest_size(trunk)
        raise TgrError(f"timm:{name} cannot take images of {image_size} px ({first_line(error)}){advice}") from error
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        shape = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
        raise TgrError(f"timm:{name} gives features of shape {shape} for two images, not (2, d); check its options")
    return trunk.train(), int(features.shape[1])


def _create(name: str, image_size: int, options: dict[str, Any]) -> Any:
    """Create the model, with ``img_size`` if it has such an argument."""
    import timm

    try:
        try:
            return timm.create_model(name, num_classes=0, img_size=image_size, **options)
        except TypeError as error:
            if "'img_size'" not in str(error):
                raise
            return timm.create_model(name, num_classes=0, **options)
    except TypeError as error:
        given = f"the options {', '.join(options)}" if options else "its defaults"
        raise TgrError(f"timm:{name} cannot be built with {given}: {first_line(error)}") from error
    except Exception as error:  # whatever a foreign model may raise
        raise TgrError(
            f"timm:{name} cannot be built for images of {image_size} px with options {options}: {first_line(error)}"
        ) from error


def _suggest_size(trunk: Any) -> str:
    native_shape = trunk.pretrained_cfg.get("input_size")
    return f"; its own size is {native_shape[-1]}" if native_shape else ""
