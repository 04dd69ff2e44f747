"""Decoding one image of any kind to what a viewer shows, in RGB."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from tgr.artifacts import refuse_placeholder
from tgr.data.readers.base import plural, shorten
from tgr.errors import TgrError, escape

WHITE = "white"
WHITES = {"I;16": 65535, "I;16L": 65535, "I;16B": 65535, "I;16N": 65535, "I": 65535, "F": 1}
"""The white of Pillow's modes beyond 8 bits, if the file is what is usual."""
BITS_PER_SAMPLE, PHOTOMETRIC, BLACK_IS_ZERO = 258, 262, 1
"""Tags of TIFF, and a value."""


class _RefusedError(Exception):
    """What an image has that cannot be read as it was meant; the message says what to do."""


@dataclass(frozen=True)
class Decoder:
    """Reads images, and remembers of which only a part was used.

    Attributes:
        background: the colour under transparent pixels, as Pillow knows it.
        animated: the files of several pictures, of which the first was taken.
    """

    background: str = WHITE
    animated: list[Path] = field(default_factory=list)

    def read(self, file: Path, size: int | None = None) -> NDArray[np.uint8]:
        """Decode an image to RGB, uint8 (height, width, 3), and resize it to a square of ``size`` pixels if that is
        given.

        Raises:
            TgrError: it is damaged, not an image, or of a kind that leaves open what it shows.
        """
        try:
            with Image.open(file) as opened:
                # The further pictures of a phone's JPEG (MPO) are previews and depths.
                several = opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1
                image = to_rgb(opened, self.background)
        except _RefusedError as error:
            raise TgrError(f"{escape(file)}: {error}") from None
        except Exception as error:  # decoders of damaged images, and of those too large, raise many kinds
            refuse_placeholder(file)
            raise TgrError(f"{escape(file)}: damaged or not an image ({error})") from error
        if several:
            self.animated.append(file)
        if size:
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(image)

    def describe(self) -> list[str]:
        """Return what a warning says: nothing, or one sentence."""
        files = f"{plural(len(self.animated), 'animated file')}: {shorten([*map(escape, self.animated)])}"
        return [f"all pictures but the first of {files}"] if self.animated else []


def to_rgb(image: Image.Image, background: str = WHITE) -> Image.Image:
    """Return an image as a viewer shows it: upright, 16-bit and float greys scaled to 8 bits, transparency on a colour.

    Colour profiles are not applied. Opaque 8-bit images keep their pixels.

    Raises:
        Exception: what decoders raise; or it is unclear what the image shows, then the message says what to do.
    """
    if "transparency" in image.info and "16" in _coding(image):
        raise _RefusedError("one of its 16-bit colours counts as transparent; save it as 8-bit PNG")
    image.load()
    if _orientation(image) != 1:
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in WHITES:
        return _grey(image).convert("RGB")
    return _flatten(image, background) if image.has_transparency_data else image.convert("RGB")


def _coding(image: Image.Image) -> str:
    """Return how the pixels of an image that is not loaded yet are packed, such as ``RGB;16B``, if Pillow says so."""
    return "".join(tile.args for tile in getattr(image, "tile", ()) if isinstance(tile.args, str))


def _orientation(image: Image.Image) -> int:
    """Return the orientation of EXIF, 1 if there is none; damaged EXIF says nothing, as for viewers."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # its reader raises many kinds
        return 1


def _grey(image: Image.Image) -> Image.Image:
    """Scale a grey image of more than 8 bits, whose white must be known, to 8 bits."""
    tags, white = getattr(image, "tag_v2", {}), WHITES[image.mode]
    usual = tags.get(PHOTOMETRIC, BLACK_IS_ZERO) == BLACK_IS_ZERO
    if image.mode == "I":
        usual &= image.format == "PPM"
    elif image.mode != "F":
        usual &= tags.get(BITS_PER_SAMPLE, (16,)) == (16,)
    values = np.asarray(image).astype(np.float64)
    if not usual or not np.all((values >= 0) & (values <= white)):
        raise _RefusedError(
            f"it is unclear which of its grey values is white ({image.mode}, {values.min():g} to {values.max():g}); "
            "16 bits must reach from 0 to 65535, floats from 0 to 1: save it as 8-bit PNG"
        )
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))


def _flatten(image: Image.Image, background: str) -> Image.Image:
    """Put what is transparent on a colour."""
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema() == (0, 0):
        raise _RefusedError("all of it is transparent: there is nothing to see; save it without transparency")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, background), rgba).convert("RGB")
