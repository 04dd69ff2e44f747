"""The contract of every registered method, on a tiny scenario."""

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import torch

from tgr.artifacts import digest, read_json, write_json
from tgr.config.methods import MethodParameters, Methods
from tgr.config.schema import Inversion, Meta, Pool, Pretrain, Scenario
from tgr.data.dataset import ImageDataset
from tgr.errors import TgrError
from tgr.evaluation.model import read_model
from tgr.inversion.stage import invert_shard
from tgr.methods.registry import METHODS
from tgr.methods.stage import train_method
from tgr.pool.pretrain import pretrain_shard

CPU = torch.device("cpu")
SCENARIO = Scenario(pools=["tiny-conv4"], evaluate_on=["tiny"], width=8, image_size=16)
META = Meta(n_way=3, k_shot=1, n_query=2, inner_steps=1, meta_batch_size=2, n_checkpoints=2, held_out_per_class=2)
SMALL = {
    "bank": {"steps": 4, "batch_size": 8},
    "realdata": {"steps": 4, "batch_size": 8},
    "replay": {"steps": 4},
    "tgr": {"group_steps": 4, "replay_steps": 2, "teachers_per_step": 2, "images_per_teacher": 4},
}


def parameters(method: str, **changes: object) -> MethodParameters:
    kind = next(k for k in get_args(Methods.model_fields[method].annotation) if k is not type(None))
    return kind(**{**SMALL.get(method, {}), **changes})


@pytest.fixture(scope="module")
def inputs(tiny_dataset: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("scenario")
    pool = Pool(dataset="tiny", n_teachers=4, n_way=3, width=8)
    pretrain_shard(
        "tiny-conv4", range(4), pool, Pretrain(epochs=2, batch_size=16), tiny_dataset, folder / "teachers", CPU
    )
    invert_shard(folder / "teachers", Inversion(steps=2, images_per_class=6), folder / "recovered", CPU)
    write_json(folder / "groups.json", {"groups": [0, 1, 0, 1]})
    tiny_dataset.save(folder / "tiny.safetensors")
    return {
        "teacher_folders": [folder / "teachers"],
        "recovered_folders": [folder / "recovered"],
        "groups_file": folder / "groups.json",
        "dataset_files": [folder / "tiny.safetensors"],
    }


def train(inputs: dict, method: str, folder: Path, seed: int = 0, meta: Meta = META, **changes: object) -> Path:
    train_method(
        method, parameters(method, **changes), "tiny", SCENARIO, meta, "any", seed, **inputs, folder=folder, device=CPU
    )
    return folder


def test_registry_and_configuration_name_the_same_methods() -> None:
    assert list(METHODS) == list(Methods.model_fields)


@pytest.mark.parametrize("method", METHODS)
def test_writes_a_model_that_evaluation_can_read(inputs: dict, tmp_path: Path, method: str) -> None:
    folder = train(inputs, method, tmp_path / "model")
    model = read_model(folder)
    steps = [entry["step"] for entry in read_json(folder / "model.json")["checkpoints"]]
    assert steps == sorted(set(steps))
    assert len(model.steps) == (META.n_checkpoints if method in SMALL else 1)
    curves = pd.read_parquet(folder / "curves.parquet")
    assert list(curves.columns) == ["step", "phase", "name", "value"]
    assert curves["value"].notna().all()
    assert (len(curves) > 0) == (method in SMALL)


@pytest.mark.parametrize("method", METHODS)
def test_is_reproducible_and_depends_on_the_seed(inputs: dict, tmp_path: Path, method: str) -> None:
    first, again, other = (train(inputs, method, tmp_path / n, seed) for n, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert digest(first) == digest(again)
    assert (digest(first) != digest(other)) == (method in {*SMALL, "random"})


@pytest.mark.parametrize("learner", ["maml", "fomaml", "anil"])
def test_replay_runs_with_every_learner(inputs: dict, tmp_path: Path, learner: str) -> None:
    train(inputs, "replay", tmp_path / "model", meta=META.model_copy(update={"learner": learner}))


@pytest.mark.parametrize("heads", ["shared", "per_teacher", "aligned"])
def test_tgr_runs_with_every_kind_of_head(inputs: dict, tmp_path: Path, heads: str) -> None:
    train(inputs, "tgr", tmp_path / "model", heads=heads)


def test_tgr_runs_as_the_release_does(inputs: dict, tmp_path: Path) -> None:
    released = train(inputs, "tgr", tmp_path / "a", fidelity="release", heads="shared")
    corrected = train(inputs, "tgr", tmp_path / "b", heads="shared")
    assert digest(released) != digest(corrected)


def test_tgr_logs_gradient_conflict(inputs: dict, tmp_path: Path) -> None:
    curves = pd.read_parquet(train(inputs, "tgr", tmp_path / "model") / "curves.parquet")
    group = curves[curves["phase"] == "group"]
    assert set(group["name"]) >= {"loss", "gradient_variance", "gradient_cosine"}
    assert (group.loc[group["name"] == "gradient_variance", "value"] > 0).all()
    assert group.loc[group["name"] == "gradient_cosine", "value"].between(-1, 1).all()


def test_realdata_alone_reads_real_images(inputs: dict, tmp_path: Path) -> None:
    """Every other method must train without them."""
    for method in METHODS:
        without = {**inputs, "dataset_files": []}
        if method == "realdata":
            with pytest.raises(TgrError, match="realdata"):
                train(without, method, tmp_path / method)
        else:
            train(without, method, tmp_path / method)


def test_divergence_is_explained(inputs: dict, tmp_path: Path) -> None:
    with pytest.raises(TgrError, match="not finite"):
        train(inputs, "bank", tmp_path / "model", lr=1e30)
