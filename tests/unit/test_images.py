"""Images of every kind are read as a viewer shows them, or refused with the reason."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from tgr.data.readers.images import Decoder
from tgr.errors import TgrError

RAMP = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
"""All 256 greys, in 16 bits."""
GREYS = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
TWO_BY_THREE = np.arange(0, 180, 10, dtype=np.uint8).reshape(2, 3, 3)
"""Two rows of three pixels."""


def read(file: Path, background: str = "white") -> NDArray[np.uint8]:
    return Decoder(background).read(file)


def refusal(file: Path) -> str:
    with pytest.raises(TgrError) as caught:
        read(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    return message


def saved(image: Image.Image, file: Path, **options: object) -> Path:
    image.save(file, **options)
    return file


# What was always read rightly


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "YCbCr", "RGBA", "LA"])
def test_opaque_images_of_8_bits_keep_their_pixels(tmp_path: Path, mode: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    name = "a.jpg" if mode in ("CMYK", "YCbCr") else "a.png"
    with Image.open(saved(image, tmp_path / name)) as opened:
        expected = opened.convert("RGB")
    assert np.array_equal(read(tmp_path / name, "black"), np.asarray(expected))
    assert np.array_equal(read(tmp_path / name), np.asarray(image.convert("RGB"))) or name == "a.jpg"
    resized = expected.resize((16, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(Decoder().read(tmp_path / name, 16), np.asarray(resized))


# Greys of more than 8 bits


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_grey_of_16_bits_keeps_its_ramp(tmp_path: Path, name: str) -> None:
    assert np.array_equal(read(saved(Image.fromarray(RAMP), tmp_path / name)), GREYS)


def test_16_bits_are_rounded_to_the_nearest_grey(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[128, 129, 65407, 65406]], np.uint16))
    assert read(saved(image, tmp_path / "a.png"))[0, :, 0].tolist() == [0, 1, 255, 254]


def test_floats_from_0_to_1_are_greys(tmp_path: Path) -> None:
    ramp = (RAMP / 65535).astype(np.float32)
    assert np.array_equal(read(saved(Image.fromarray(ramp), tmp_path / "a.tiff")), GREYS)


def tiff_12_bits(file: Path) -> Path:
    """Write two grey pixels of 12 bits each; Pillow cannot."""
    tags = [(256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 3)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    file.write_bytes(b"II*\0" + struct.pack("<I", 12) + b"\xff\xf0\x00\0" + directory)
    return file


@pytest.mark.parametrize(
    "values",
    [np.array([[0, 255]], np.float32), np.array([[0, np.nan]], np.float32), np.array([[0, 70000]], np.int32)],
    ids=["floats to 255", "not a number", "32 bits"],
)
def test_greys_without_a_known_white_are_refused(tmp_path: Path, values: NDArray[np.generic]) -> None:
    message = refusal(saved(Image.fromarray(values), tmp_path / "a.tif"))
    assert "it is unclear which of its grey values is white" in message and message.endswith("save it as 8-bit PNG")


def test_16_bits_with_the_white_of_zero_or_of_12_bits_are_refused(tmp_path: Path) -> None:
    inverted = saved(Image.fromarray(RAMP), tmp_path / "a.tif", tiffinfo={262: 0})
    assert "which of its grey values is white" in refusal(inverted)
    assert "which of its grey values is white (I;16, 0 to 4095)" in refusal(tiff_12_bits(tmp_path / "b.tif"))


# Transparency

DISC = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [200, 100, 0, 128]]], np.uint8)
"""Nothing, black ink, and half an orange."""


@pytest.mark.parametrize(("background", "paper"), [("white", 255), ("black", 0), ("grey", 128), ("#ffffff", 255)])
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_transparency_shows_the_background(tmp_path: Path, name: str, background: str, paper: int) -> None:
    file = saved(Image.fromarray(DISC), tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    half = [(value * 128 + paper * 127) / 255 for value in (200, 100, 0)]
    np.testing.assert_allclose(read(file, background), [[[paper] * 3, [0] * 3, half]], atol=1)


def test_grey_with_transparency_shows_the_background(tmp_path: Path) -> None:
    grey = Image.fromarray(np.array([[[0, 0], [0, 255]]], np.uint8))
    assert grey.mode == "LA"
    assert read(saved(grey, tmp_path / "a.png"))[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_palette_with_a_transparent_entry_shows_the_background(tmp_path: Path, name: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((1, 0), 1)
    assert read(saved(image, tmp_path / name, transparency=0)).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_one_colour_that_counts_as_transparent_shows_the_background(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[0, 255, 0], [9, 9, 9]]], np.uint8))
    assert read(saved(image, tmp_path / "a.png", transparency=(0, 255, 0)))[0].tolist() == [[255] * 3, [9] * 3]


def test_image_of_which_nothing_shows_is_refused(tmp_path: Path) -> None:
    assert "all of it is transparent" in refusal(saved(Image.new("RGBA", (4, 4)), tmp_path / "a.png"))


def png(depth: int, colour: int, row: bytes, transparent: bytes) -> bytes:
    """Return a PNG of two pixels, one of whose colours counts as transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 2, 1, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"tRNS", transparent), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize(("colour", "values"), [(0, (1000,)), (2, (1000, 30000, 65535))], ids=["grey", "RGB"])
def test_transparent_colour_of_16_bits_is_refused(tmp_path: Path, colour: int, values: tuple[int, ...]) -> None:
    packed = struct.pack(f">{len(values)}H", *values)
    (tmp_path / "a.png").write_bytes(png(16, colour, packed * 2, packed))
    assert "one of its 16-bit colours counts as transparent; save it as 8-bit PNG" in refusal(tmp_path / "a.png")


# Orientation


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (2, TWO_BY_THREE[:, ::-1]),
        (3, TWO_BY_THREE[::-1, ::-1]),
        (4, TWO_BY_THREE[::-1]),
        (5, TWO_BY_THREE.transpose(1, 0, 2)),
        (6, np.rot90(TWO_BY_THREE, -1)),
        (7, TWO_BY_THREE[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(TWO_BY_THREE)),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_image_is_turned_upright(tmp_path: Path, name: str, orientation: int, upright: NDArray[np.uint8]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if name == "a.webp" else {}
    file = saved(Image.fromarray(TWO_BY_THREE), tmp_path / name, exif=exif, **options)
    assert np.array_equal(read(file), upright)


def test_jpeg_of_a_phone_is_turned_upright(tmp_path: Path) -> None:
    """Red above blue, stored lying on its side."""
    stored = np.zeros((32, 64, 3), np.uint8)
    stored[:, :32], stored[:, 32:] = (255, 0, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image = read(saved(Image.fromarray(stored), tmp_path / "a.jpg", exif=exif))
    assert image.shape == (64, 32, 3)
    assert image[8, 16].argmax() == 0 and image[56, 16].argmax() == 2


def test_damaged_exif_says_nothing(tmp_path: Path) -> None:
    file = saved(Image.new("RGB", (8, 4), "red"), tmp_path / "a.jpg", exif=b"Exif\0\0no such thing")
    assert read(file).shape == (4, 8, 3)


# Suffixes, animated files, and what is no image


@pytest.mark.parametrize("name", ["a.tif", "a.tiff", "a.gif", "a.ppm", "a.bmp"])
def test_further_formats_are_read(tmp_path: Path, name: str) -> None:
    assert np.array_equal(read(saved(Image.fromarray(TWO_BY_THREE), tmp_path / name)), TWO_BY_THREE)


def test_lossy_formats_are_read(tmp_path: Path) -> None:
    for name, kind in (("a.jfif", "JPEG"), ("a.avif", "AVIF")):
        assert read(saved(Image.new("RGB", (8, 8), "red"), tmp_path / name, format=kind))[4, 4].argmax() == 0


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_of_several_pictures_the_first_is_taken_and_the_file_remembered(tmp_path: Path, name: str) -> None:
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    file = saved(red, tmp_path / name, save_all=True, append_images=[blue])
    decoder = Decoder()
    assert decoder.read(file)[0, 0].tolist()[0] > 250
    assert decoder.animated == [file]
    assert decoder.describe() == [f"all pictures but the first of 1 animated file: {file}"]


def test_previews_in_the_jpeg_of_a_phone_do_not_count(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    decoder = Decoder()
    decoder.read(saved(red, tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[blue]))
    assert decoder.describe() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a pointer of Git LFS instead of"),
        (b"\n<!DOCTYPE html><html>404</html>", "a web page, such as a server's error, instead of the file; get it"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "a web page, such as a server's error"),
        (b"", "empty; get it again"),
        (b"no picture", "damaged or not an image"),
    ],
)
def test_what_came_in_the_place_of_an_image_is_called_that(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert message in refusal(tmp_path / "a.png")
