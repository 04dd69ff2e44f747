"""Datasets from every source, their errors, episodes, transforms."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tgr import seeds
from tgr.config.teachers import Dataset
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import load_episodes, sample_episodes, save_episodes, split_episodes
from tgr.data.readers import registry
from tgr.data.readers.base import SourceFiles
from tgr.data.sources import load_dataset
from tgr.data.transforms import BLOCK, normalise, random_crop_flip, resize
from tgr.errors import TgrError

CLASSES = ["ant", "bee", "cat", "dog", "eel", "fox"]
SPLITS = {"meta_train": ["ant", "bee"], "meta_val": ["cat", "dog"], "meta_test": ["eel", "fox"]}


def write_splits(folder: Path, splits: object = SPLITS) -> Path:
    file = folder / "splits.json"
    file.write_text(json.dumps(splits))
    return file


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(3):
            pixels = generator.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    write_splits(tmp_path)
    return tmp_path


@pytest.fixture
def npz_file(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (18, 20, 20, 3), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.repeat(np.arange(6), 3), class_names=np.array(CLASSES))
    write_splits(tmp_path)
    return tmp_path / "d.npz"


def config(source: str, path: Path, splits: Path, image_size: int | None = None) -> Dataset:
    return Dataset(source=source, path=str(path), splits=str(splits), image_size=image_size)


def load(name: str, entry: Dataset) -> ImageDataset:
    return load_dataset(name, entry, registry.find(name, entry))


def test_folder_and_npz_give_the_same_form(image_folder: Path, npz_file: Path) -> None:
    for entry in (
        config("folder", image_folder / "images", image_folder / "splits.json", 16),
        config("npz", npz_file, npz_file.parent / "splits.json", 16),
    ):
        dataset = load("mine", entry)
        assert dataset.images.shape == (18, 3, 16, 16)
        assert dataset.images.dtype == torch.uint8
        assert [dataset.class_names[c] for c in dataset.splits["meta_test"]] == ["eel", "fox"]
        assert all(len(dataset.indices_of(c)) == 3 for c in range(6))


def test_saved_dataset_reads_back(npz_file: Path, tmp_path: Path) -> None:
    dataset = load("mine", config("npz", npz_file, tmp_path / "splits.json"))
    dataset.save(tmp_path / "d.safetensors")
    again = ImageDataset.load(tmp_path / "d.safetensors")
    assert torch.equal(again.images, dataset.images)
    assert (again.splits, again.class_names, again.flips) == (dataset.splits, dataset.class_names, dataset.flips)


def test_stored_images_stay_on_disk_until_they_are_used(npz_file: Path, tmp_path: Path) -> None:
    load("mine", config("npz", npz_file, tmp_path / "splits.json")).save(tmp_path / "d.safetensors")
    images = ImageDataset.load(tmp_path / "d.safetensors").images
    mapped = [line for line in Path("/proc/self/maps").read_text().splitlines() if "d.safetensors" in line]
    first, last = (int(address, 16) for address in mapped[0].split()[0].split("-"))
    assert first < images.data_ptr() < last


def test_normalisation_is_that_of_the_meta_train_images(tiny_dataset: ImageDataset) -> None:
    chosen = torch.isin(tiny_dataset.labels, torch.tensor(tiny_dataset.splits["meta_train"]))
    pixels = tiny_dataset.images[chosen].double() / 255
    mean, std = tiny_dataset.normalisation
    torch.testing.assert_close(torch.tensor(mean), pixels.mean((0, 2, 3)).float(), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.tensor(std), pixels.std((0, 2, 3)).float(), atol=1e-6, rtol=0)


def test_a_channel_of_one_value_is_named(tiny_dataset: ImageDataset) -> None:
    images = tiny_dataset.images.clone()
    images[:, ::2] = 7  # as under a microscope that shows green alone
    dataset = replace(tiny_dataset, images=images)
    with pytest.raises(TgrError, match="dataset tiny: its meta-train images have one value throughout in red, blue, "):
        _ = dataset.normalisation


def overlapping(folder: Path) -> None:
    write_splits(folder, {**SPLITS, "meta_test": ["ant", "fox"]})


def incomplete(folder: Path) -> None:
    write_splits(folder, {"meta_train": ["ant"]})


def unknown_class(folder: Path) -> None:
    write_splits(folder, {**SPLITS, "meta_test": ["gnu"]})


def escaping(folder: Path) -> None:
    write_splits(folder, {**SPLITS, "meta_test": ["../outside"]})


def broken_image(folder: Path) -> None:
    (folder / "images" / "bee" / "1.png").write_bytes(b"not a picture")


def two_sizes(folder: Path) -> None:
    Image.new("RGB", (24, 24)).save(folder / "images" / "bee" / "1.png")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (overlapping, "class 'ant' is in meta_train and in meta_test"),
        (incomplete, "wanted a JSON object with the class lists"),
        (unknown_class, "gnu: no images"),
        (escaping, "not a plain folder name"),
        (broken_image, "1.png: damaged or not an image"),
        (two_sizes, "images must be square and of one size; set datasets.mine.image_size"),
    ],
)
def test_bad_folder_is_named(image_folder: Path, damage, message: str) -> None:
    damage(image_folder)
    with pytest.raises(TgrError, match=message.replace("(", r"\(")):
        load("mine", config("folder", image_folder / "images", image_folder / "splits.json"))


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TgrError, match=r"datasets\.mine\.path: .*/nowhere is not a folder; put the images into"):
        load("mine", config("folder", tmp_path / "nowhere", write_splits(tmp_path)))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((6, 20, 16, 3), np.uint8),
            "images of 16 x 20 pixels: they must be square; set datasets.mine.image_size",
        ),
        (np.zeros((6, 3, 16, 16), np.uint8), "found uint8 (6, 3, 16, 16); put the channels last: np.moveaxis"),
        (np.zeros((6, 16, 16), np.uint8), "found uint8 (6, 16, 16); make grey ones RGB: np.repeat"),
        (np.zeros((6, 16, 16, 1), np.uint8), "found uint8 (6, 16, 16, 1); make grey ones RGB: np.repeat"),
        (np.zeros((6, 16, 16, 3)), "found float64 (6, 16, 16, 3); scale them, here from 0..1"),
    ],
    ids=["oblong", "channels first", "grey", "one channel", "floats"],
)
def test_npz_of_another_shape_is_named_with_what_to_do(tmp_path: Path, images: np.ndarray, message: str) -> None:
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(6), class_names=np.array(CLASSES))
    with pytest.raises(TgrError) as caught:
        load("mine", config("npz", tmp_path / "d.npz", write_splits(tmp_path)))
    assert str(caught.value).startswith(f"{tmp_path / 'd.npz'}: ") and message in str(caught.value)


@pytest.mark.parametrize("size", [16, 20, 24])
def test_oblong_images_of_an_npz_are_resized_to_squares(tmp_path: Path, size: int) -> None:
    images = np.zeros((6, 20, 16, 3), np.uint8)
    images[:, 10:] = 200
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(6), class_names=np.array(CLASSES))
    read = load("mine", config("npz", tmp_path / "d.npz", write_splits(tmp_path), size)).images
    assert read.shape == (6, 3, size, size)
    assert read[0, 0, :, 0].tolist()[:: size - 1] == [0, 200] and read[0, 0].float().std(1).max() == 0


def test_splits_spell_classes_as_the_npz_does(tmp_path: Path) -> None:
    names = [*CLASSES[:5], "e\u0301l\xe9phant"]
    images = np.zeros((6, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "d.npz", images=images, labels=np.arange(6), class_names=np.array(names))
    splits = write_splits(tmp_path, SPLITS | {"meta_test": ["eel", "\xe9le\u0301phant"]})
    splits.write_bytes(b"\xef\xbb\xbf" + splits.read_bytes())
    dataset = load("mine", config("npz", tmp_path / "d.npz", splits))
    assert [dataset.class_names[index] for index in dataset.splits["meta_test"]] == ["eel", names[5]]


def test_classes_that_no_split_names_are_named(npz_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = write_splits(npz_file.parent, SPLITS | {"meta_val": ["dog"]})
    load("mine", config("npz", npz_file, splits))
    assert capsys.readouterr().out == "WARNING: datasets.mine: left out: classes that no split names (1): cat\n"


def test_faults_of_the_split_name_its_file(image_folder: Path) -> None:
    overlapping(image_folder)
    with pytest.raises(TgrError, match=r"splits\.json: class 'ant' is in meta_train and in meta_test"):
        load("mine", config("folder", image_folder / "images", image_folder / "splits.json"))


def test_pickled_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", images=np.array([object()]), labels=np.zeros(1), class_names=np.array(["a"]))
    with pytest.raises(TgrError, match="not an npz file of plain arrays"):
        load("mine", config("npz", tmp_path / "d.npz", write_splits(tmp_path)))


def test_truncated_npz_is_named(npz_file: Path) -> None:
    npz_file.write_bytes(npz_file.read_bytes()[:200])
    with pytest.raises(TgrError, match=r"d\.npz"):
        load("mine", config("npz", npz_file, npz_file.parent / "splits.json"))


def test_damaged_pack_is_named(tmp_path: Path) -> None:
    index = {"image_size": 4, "columns": 2, "n_images": 2, "sha256": "0" * 64, "classes": []}
    (tmp_path / "icons.json").write_text(json.dumps(index))
    Image.new("RGB", (8, 4)).save(tmp_path / "icons.webp", lossless=True)
    with pytest.raises(TgrError, match=r"icons\.webp: damaged"):
        load_dataset("icons", Dataset(), SourceFiles([tmp_path / "icons.json", tmp_path / "icons.webp"]))


def test_second_split_of_a_pack_changes_the_split_alone() -> None:
    first, second = Dataset(pack="icons"), Dataset(pack="icons", splits="second")
    files = registry.find("again", second).files
    assert list(files[:2]) == list(registry.find("again", first).files) and files[2].name == "icons-second.json"
    sources = [registry.get("pack").read(registry.find("again", section), "again") for section in (first, second)]
    assert sources[0].class_names == sources[1].class_names and (sources[0].images == sources[1].images).all()
    splits = [{split: {source.class_names[i] for i in members} for split, members in source.splits.items()}
              for source in sources]  # fmt: skip
    assert splits[0]["meta_val"] == splits[1]["meta_val"] and splits[0]["meta_test"] != splits[1]["meta_test"]
    assert sum(map(len, splits[1].values())) == len(set.union(*splits[1].values())) == 101
    assert {"car", "mail", "copy", "leaf"} <= splits[1]["meta_test"]


def test_episodes_are_disjoint_paired_and_read_back(npz_file: Path, tmp_path: Path) -> None:
    dataset = load("mine", config("npz", npz_file, tmp_path / "splits.json"))
    draws = [split_episodes(dataset, "meta_test", 2, 1, 2, 7, seeds.numpy_generator("e")) for _ in range(2)]
    assert torch.equal(draws[0].support, draws[1].support)
    episodes = draws[0]
    assert episodes.support.shape == (7, 2, 1)
    assert episodes.query.shape == (7, 2, 2)
    for support, query in zip(episodes.support, episodes.query, strict=True):
        assert len(torch.cat([support, query], 1).unique()) == 6
        for own in torch.cat([support, query], 1):
            assert len(dataset.labels[own].unique()) == 1
            assert int(dataset.labels[own[0]]) in dataset.splits["meta_test"]
    save_episodes(tmp_path / "e.safetensors", {"meta_test": episodes})
    assert torch.equal(load_episodes(tmp_path / "e.safetensors")["meta_test"].query, episodes.query)


def test_impossible_episodes_are_explained() -> None:
    members = [torch.arange(5), torch.arange(5, 10)]
    with pytest.raises(TgrError, match="3-way episodes need 3 classes, but there are 2"):
        sample_episodes(members, 3, 1, 1, 1, seeds.numpy_generator("e"))
    with pytest.raises(TgrError, match="need 6 images a class; one has 5"):
        sample_episodes(members, 2, 1, 5, 1, seeds.numpy_generator("e"))


def test_crop_and_flip_move_pixels_but_invent_none() -> None:
    image = torch.arange(64.0).view(1, 1, 8, 8).expand(50, 3, 8, 8)
    moved = random_crop_flip(image, 2, True, torch.Generator().manual_seed(0))
    assert moved.shape == image.shape
    assert set(moved.unique().tolist()) <= set(range(64))
    assert len({tuple(m.flatten().tolist()) for m in moved}) > 20
    still = random_crop_flip(image, 0, False, torch.Generator().manual_seed(0))
    assert torch.equal(still, image)


def test_crop_is_differentiable() -> None:
    images = torch.rand(3, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    random_crop_flip(images, 1, True, torch.Generator().manual_seed(0)).sum().backward()
    assert float(images.grad.sum()) == pytest.approx(3 * 3 * 64)


def test_images_are_resized_and_normalised() -> None:
    images = torch.full((2, 3, 28, 28), 51, dtype=torch.uint8)
    assert torch.equal(resize(images, 32), torch.full((2, 3, 32, 32), 51, dtype=torch.uint8))
    out = normalise(images, [0.2, 0.0, 0.1], [1.0, 1.0, 0.5])
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(out[0, :, 0, 0], torch.tensor([0.0, 0.2, 0.2]))


def test_resizing_in_blocks_changes_nothing() -> None:
    images = torch.randint(0, 256, (BLOCK + 3, 3, 6, 6), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    at_once = torch.nn.functional.interpolate(images.float(), (4, 4), mode="bilinear", antialias=True)
    assert torch.equal(resize(images, 4), at_once.round().clamp(0, 255).to(torch.uint8))


def test_mix_unites_the_classes_of_each_split_at_one_size(image_folder: Path, npz_file: Path, tmp_path: Path) -> None:
    first = load("a", config("folder", image_folder / "images", image_folder / "splits.json", 16))
    second = load("b", config("npz", npz_file, npz_file.parent / "splits.json", 24))
    for dataset in (first, second):
        dataset.save(tmp_path / f"{dataset.name}.safetensors")
    entry = Dataset(source="mix", of=["a", "b"], image_size=20)
    mixed = load_dataset("both", entry, SourceFiles([tmp_path / "a.safetensors", tmp_path / "b.safetensors"]))
    assert mixed.image_size == 20
    for split, classes in mixed.splits.items():
        names = [mixed.class_names[c] for c in classes]
        assert names == [f"{d.name}:{d.class_names[c]}" for d in (first, second) for c in d.splits[split]]
    eel = mixed.class_names.index("b:eel")
    assert len(mixed.indices_of(eel)) == len(second.indices_of(second.class_names.index("eel")))
