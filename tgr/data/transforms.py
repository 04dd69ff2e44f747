"""Tensor transforms that every stage shares."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 1024
"""Images that are resized at a time, so that not all of them are copied as wider numbers."""


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return images (n, 3, h, w), uint8 or float in [0, 1], as channels-last float with mean and std removed."""
    if images.dtype == torch.uint8:
        images = images.to(torch.get_default_dtype()).div_(255)
    shift, scale = per_channel(mean, images), per_channel(std, images)
    return ((images - shift) / scale).contiguous(memory_format=torch.channels_last)


def per_channel(values: Sequence[float], images: Tensor) -> Tensor:
    """Return one number for each channel as a constant (1, c, 1, 1) of the type and device of some images.

    It is sent to a device once: each time would be a wait for all that is queued there.
    """
    return _per_channel(tuple(values), images.dtype, images.device)


@lru_cache(maxsize=256)
def _per_channel(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device).view(1, -1, 1, 1)


def resize(images: Tensor, size: int) -> Tensor:
    """Resize uint8 images (n, 3, h, w) to (n, 3, size, size): bilinear with anti-aliasing."""
    if images.shape[-2:] == (size, size):
        return images
    resized = images.new_empty((*images.shape[:2], size, size))
    for part, block in zip(resized.split(BLOCK), images.split(BLOCK), strict=True):
        scaled = functional.interpolate(block.float(), (size, size), mode="bilinear", antialias=True)
        part.copy_(scaled.round_().clamp_(0, 255))
    return resized


def crop_pad(image_size: int) -> int:
    """Return the crop padding that suits an image size: an eighth of it, the usual 4 pixels at 32."""
    return image_size // 8


class Views(NamedTuple):
    """What is seen of each image: rows and columns, int64 (n, size) each, and whether it is mirrored, bool (n,)."""

    rows: Tensor
    columns: Tensor
    mirrored: Tensor


def random_crop_flip(images: Tensor, pad: int, flips: bool | Tensor, generator: torch.Generator) -> Tensor:
    """Shift each image by up to ``pad`` pixels (edges repeated) and mirror half of them; differentiable.

    Args:
        images: (n, c, size, size), any float type.
        flips: whether mirrored images keep their class; for all images, or bool (n,), on the CPU, for each.
        generator: a CPU generator.
    """
    shifts = draw_shifts(len(images), pad, flips, generator)
    return crop_flip(images, shifts.to(images.device), pad)[0]


def crop_flip(images: Tensor, shifts: Tensor, pad: int) -> tuple[Tensor, Tensor]:
    """Return what ``random_crop_flip`` does, and which images it mirrored: bool (n,).

    Args:
        shifts: what was drawn for it, on the images' device.
    """
    views = views_of(shifts, images.shape[2], pad)
    return take_views(images, views.rows, views.columns), views.mirrored


def draw_shifts(n: int, pad: int, flips: bool | Tensor, generator: torch.Generator) -> Tensor:
    """Draw what ``random_crop_flip`` does to each of ``n`` images.

    Returns:
        int64 (n, 3), on the CPU: first row and first column, counted from ``-pad``, and 1 if it is mirrored, else 0.
    """
    top, left = (torch.randint(0, 2 * pad + 1, (n, 1), generator=generator) for _ in range(2))
    mirrored = torch.zeros(n, 1, dtype=torch.bool)
    if isinstance(flips, Tensor) or flips:
        mirrored = torch.rand(n, 1, generator=generator) < 0.5
        if isinstance(flips, Tensor):
            mirrored = mirrored & flips[:, None]
    return torch.cat([top, left, mirrored], 1)


def views_of(shifts: Tensor, size: int, pad: int) -> Views:
    """Return the views that drawn shifts are of images of some size, on the device of the shifts."""
    top, left, drawn = shifts.split(1, 1)
    steps, mirrored = torch.arange(-pad, size - pad, device=shifts.device), drawn.bool()
    rows, columns = top + steps, left + steps
    columns = torch.where(mirrored, columns.flip(1), columns)
    return Views(rows.clamp(0, size - 1), columns.clamp(0, size - 1), mirrored[:, 0])


def take_views(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return images (n, c, size, size) of which these rows and columns are seen; differentiable."""
    n, _, size, _ = images.shape
    # One gather of whole pixels: several times faster, forward and backward, than indexing along three axes.
    first = torch.arange(n, device=rows.device).view(-1, 1, 1)
    pixel = (first * size + rows[:, :, None]) * size + columns[:, None, :]
    flat = images.permute(0, 2, 3, 1).reshape(n * size * size, -1)
    return flat.index_select(0, pixel.view(-1)).view(n, size, size, -1).permute(0, 3, 1, 2)
