"""The stage `train`: one method, one scenario, one seed."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch

from tgr.artifacts import read_json, save_tensors, write_json
from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.registry import parameters_of
from tgr.config.teachers import Inversion, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.inversion.recovered import load_recovered
from tgr.methods import registry
from tgr.methods.training import Trained, Training
from tgr.pool.card import read_cards
from tgr.pool.teacher import load_teachers

T = TypeVar("T")


def train_method(
    *,
    scenario: str,
    method: str,
    shot: str,
    seed: int,
    variant: Mapping[str, Mapping[str, Any]],
    meta_model: MetaModel,
    meta: Meta,
    teachers: Sequence[Path],
    recovered: Sequence[Path],
    groups: Path | None,
    datasets: Sequence[Path],
    model: Path,
    device: torch.device,
    inversions: Sequence[Inversion] = (),
    probe: TaskSpace | None = None,
    judgements: Sequence[Path] = (),
) -> None:
    """Train a method and write its checkpoints, curves and ``model.json`` into the folder ``model``.

    Args:
        method: its name, or that of an ablation's variant of it.
        shot: the evaluated shot for which to train, or ``any``.
        variant: the method's key in the registry, and its parameters.
        teachers, recovered: folders of the shards of all pools of the scenario, in the same order; none for a method
            that does without.
        groups: the file of task groups; None for a method without groups.
        datasets: files of the scenario's real datasets, read by methods on real images only.
        inversions: one for each of the folders ``teachers``, for a method that recovers images as it trains.
        probe: names the probe network, if one of these inversions uses it.
        judgements: one folder for each of ``teachers``, for a method that starts from a panel's judgement.

    Raises:
        TgrError: as the method does.
    """
    started = time.perf_counter()
    [(name, values)] = variant.items()
    parameters = parameters_of(name, dict(values))
    training = Training(
        meta_model=meta_model,
        meta=parameters.own_meta(meta),
        k_shot=_training_shot(meta, shot),
        seed_names=("method", scenario, seed),
        teachers=load_teachers(teachers, device),
        recovered=load_recovered(recovered, teachers) if recovered else [],
        groups=read_json(groups)["groups"] if groups else [],
        real=[ImageDataset.load(file) for file in datasets],
        device=device,
        inversions=_for_each_teacher(teachers, inversions),
        probe=probe,
        judgements=_for_each_teacher(teachers, judgements),
    )
    trained = registry.get(name)(parameters, training)
    identity: dict[str, str | int] = {"scenario": scenario, "method": method, "shot": shot, "seed": seed}
    _write(trained, meta_model, identity, round(time.perf_counter() - started, 2), model)


def _for_each_teacher(teachers: Sequence[Path], values: Sequence[T]) -> list[T]:
    """Return for each teacher the value of its shard, from one value for each of the shards ``teachers``, or none."""
    return [one for folder, one in zip(teachers, values, strict=bool(values)) for _ in read_cards(folder)]


def _training_shot(meta: Meta, shot: str) -> int:
    """Return the shot of training episodes; a training for any shot uses none, unless the configuration names one."""
    if isinstance(meta.k_shot, int):
        return meta.k_shot
    return int(shot) if shot != "any" else 0


def _write(
    trained: Trained, meta_model: MetaModel, identity: dict[str, str | int], wall_seconds: float, folder: Path
) -> None:
    folder.mkdir(parents=True)
    listed = []
    for index, (step, state) in enumerate(trained.checkpoints):
        file = f"checkpoint-{index:02d}.safetensors"
        save_tensors(folder / file, state)
        listed.append({"file": file, "step": step, "phases": trained.phases(step)})
    curves = pd.DataFrame(trained.curves, columns=["step", "phase", "name", "value"])
    curves.astype({"step": "int64", "value": "float64"}).to_parquet(folder / "curves.parquet", index=False)
    members = {"members": trained.members} if trained.members else {}
    about = identity | {
        "architecture": trained.architecture,
        "width": meta_model.width,
        "options": meta_model.options,
        "image_size": meta_model.image_size,
        "mean": trained.mean,
        "std": trained.std,
        "checkpoints": listed,
        "sampled": trained.sampled,
        "wall_seconds": wall_seconds,
    }
    write_json(folder / "model.json", about | members)
