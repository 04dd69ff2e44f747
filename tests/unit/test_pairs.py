"""The experiment with two teachers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from synthetic_results import EVALUATION, make_dataset, write_dataset

from tgr.analysis.pair_gains import gather_pairs
from tgr.analysis.pairs import Draw, Kind, Learner, measure_draw
from tgr.config.learning import Meta, MetaModel
from tgr.config.teachers import Inversion, Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.evaluation.tasks import real_tasks

CPU = torch.device("cpu")
KIND = Kind(
    Pool(dataset="toys", width=4, n_way=2), Pretrain(epochs=2, batch_size=8), Inversion(images_per_class=8, steps=2)
)
META = Meta(n_way=2, k_shot=1, n_query=2, inner_steps=1, meta_batch_size=1, held_out_per_class=2)


def draw(index: int = 0) -> Draw:
    return Draw("two", index, make_dataset("toys"), CPU)


def test_overlaps_are_nested_and_exact() -> None:
    base = set(draw().classes(2, 2))
    one, none = set(draw().classes(2, 1)), set(draw().classes(2, 0))
    assert [len(base & other) for other in (base, one, none)] == [2, 1, 0]
    assert one - base <= none
    assert base <= set(draw().dataset.splits["meta_train"])
    assert len({tuple(draw(index).classes(2, 2)) for index in range(5)}) > 1


def test_too_few_classes_are_named() -> None:
    with pytest.raises(TgrError, match=r"pairs\.two: two teachers without a class in common need 6 meta-train classes"):
        draw().classes(3, 0)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("pairs")
    dataset_file, episode_file = write_dataset(root, "toys", 1)
    tasks = real_tasks(dataset_file, episode_file, EVALUATION, 1, 16)["meta_test"]
    learner = Learner(MetaModel(width=4, image_size=16), META, 1, 1, tasks, "batch")
    files = [root / f"draw-{name}.parquet" for name in ("0", "1", "again")]
    for file, index in zip(files, (0, 1, 0), strict=True):
        own = Draw("two", index, ImageDataset.load(dataset_file), CPU)
        measure_draw(own, {"base": KIND, "other": KIND}, "base", learner, file)
    return files


def test_each_draw_measures_all_overlaps_and_kinds(rows: list[Path]) -> None:
    found = pd.read_parquet(rows[0])
    assert found[["other", "overlap"]].values.tolist() == [["base", 0], ["base", 1], ["base", 2], ["other", 0]]
    assert found["jaccard"].tolist() == [0, pytest.approx(1 / 3), 1, 0]
    assert np.allclose(found["gain"], found["accuracy"] - found["base_accuracy"])
    assert found["base_accuracy"].nunique() == 1
    assert found["n_episodes"].tolist() == [EVALUATION.n_episodes] * 4
    assert found["accuracy"].between(0, 1).all()


def test_a_draw_depends_on_its_index_alone(rows: list[Path]) -> None:
    first, other, again = map(pd.read_parquet, rows)
    pd.testing.assert_frame_equal(first, again)
    assert not first["accuracy"].equals(other["accuracy"])


def test_gains_are_means_over_draws(rows: list[Path], tmp_path: Path) -> None:
    files = {"rows": tmp_path / "rows.parquet", "gains": tmp_path / "gains.csv"}
    gather_pairs(draws=list(map(pd.read_parquet, rows[:2])), **files)
    both, gains = pd.read_parquet(files["rows"]), pd.read_csv(files["gains"])
    one = both[(both["other"] == "base") & (both["overlap"] == 1)]["gain"]
    row = gains[(gains["other"] == "base") & (gains["overlap"] == 1)].iloc[0]
    assert row["gain"] == pytest.approx(one.mean())
    assert row["n_draws"] == 2
