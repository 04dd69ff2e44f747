"""Small results in the real on-disk formats, for tests of evaluation and reporting."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from tests.teachers import make_card, make_report
from tgr import seeds
from tgr.artifacts import read_frame, save_tensors, write_json
from tgr.backbones.registry import build
from tgr.config.experiments import Scenario
from tgr.config.learning import Evaluation, Meta, Tune
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import save_episodes, split_episodes
from tgr.evaluation.summary import write_summary
from tgr.inversion.recovered import Recovered, save_recovered
from tgr.pool.card import Card, teacher_name
from tgr.pool.teacher import save_teacher

SIZE = 16
EVALUATION = Evaluation(
    shots=[1, 2],
    n_way=3,
    n_query=4,
    n_episodes=5,
    n_val_episodes=4,
    inner_steps=2,
    selection_protocols=["finetune", "finetune_tuned", "ncm"],
    tune=Tune(inner_lr=[0.1, 0.01], inner_steps=[2, 1], n_episodes=2),
)
META = Meta(n_way=3, held_out_per_class=2)
SCENARIO = Scenario(pools=["toys-conv4"], evaluate_on=["toys"], width=4, image_size=SIZE)


def make_dataset(name: str, size: int = SIZE) -> ImageDataset:
    """Return 12 classes of 10 noisy variants of one colour field each: 5 meta-train, 3 meta-val, 4 meta-test."""
    generator = seeds.torch_generator("test", name)
    coarse = torch.rand(12, 1, 3, 4, 4, generator=generator)
    fields = coarse.repeat_interleave(size // 4, 3).repeat_interleave(size // 4, 4)
    noise = 0.8 * torch.randn(12, 10, 3, size, size, generator=generator)
    images = ((fields + noise).clamp(0, 1) * 255).to(torch.uint8).flatten(0, 1)
    splits = {"meta_train": [0, 1, 2, 3, 4], "meta_val": [5, 6, 7], "meta_test": [8, 9, 10, 11]}
    labels = torch.arange(12).repeat_interleave(10)
    return ImageDataset(name, images, labels, [f"class_{i}" for i in range(12)], splits)


def write_dataset(root: Path, name: str, shot: int, evaluation: Evaluation = EVALUATION) -> tuple[Path, Path]:
    """Write a dataset and its episodes; return both files."""
    dataset = make_dataset(name)
    files = root / f"{name}.safetensors", root / f"{name}-shot-{shot}.safetensors"
    dataset.save(files[0])
    counts = {"meta_val": evaluation.n_val_episodes, "meta_test": evaluation.n_episodes}
    episodes = {
        split: split_episodes(
            dataset,
            split,
            evaluation.n_way,
            shot,
            evaluation.n_query,
            count,
            seeds.numpy_generator("episodes", name, split, shot),
        )
        for split, count in counts.items()
    }
    save_episodes(files[1], episodes)
    return files


def write_shard(root: Path, pool: str, dataset: ImageDataset, n_teachers: int = 2, n_way: int = 3) -> tuple[Path, Path]:
    """Write teachers and what was recovered from them; return both folders. Recovered images are noisy real ones."""
    teachers, recovered = root / "teachers" / pool / "shard-00", root / "recovered" / pool / "shard-00"
    teachers.mkdir(parents=True)
    recovered.mkdir(parents=True)
    for index in range(n_teachers):
        classes = [(index + c) % 5 for c in range(n_way)]
        card = _card(pool, index, dataset, [dataset.class_names[c] for c in classes])
        save_teacher(teachers, build("conv4", n_way, 4, dataset.image_size, "test", pool, index), card)
        labels = torch.arange(n_way).repeat(6)  # classes interleaved
        members = [dataset.indices_of(c) for c in classes]
        picked = torch.stack([dataset.images[members[int(k)][i // n_way]] for i, k in enumerate(labels)])
        report = make_report(card, 6, agreement=0.9 + 0.01 * index, bn_distance=1.0, loss=0.5, wall_seconds=1.0)
        images = picked.flip(-1)
        save_recovered(recovered, Recovered(images, labels, torch.randn(len(labels), n_way), card, report))
    return teachers, recovered


def _card(pool: str, index: int, dataset: ImageDataset, classes: list[str]) -> Card:
    about = {"pool": pool, "dataset": dataset.name, "classes": classes, "width": 4, "image_size": dataset.image_size}
    return make_card(index, held_out_accuracy=0.9, train_accuracy=0.95, wall_seconds=1.0, **about)


def write_model(folder: Path, n_checkpoints: int = 2, *, head: bool = True, architecture: str = "conv4") -> Path:
    """Write a model folder with random weights."""
    folder.mkdir(parents=True)
    listed = []
    for index in range(n_checkpoints):
        file = f"checkpoint-{index:02d}.safetensors"
        if architecture != "pixels":
            state = build(architecture, 3, 4, SIZE, "test", index).state_dict()
            save_tensors(folder / file, {k: v for k, v in state.items() if head or not k.startswith("head.")})
        phases = ["group", "replay"][: index + 1]
        listed.append({"file": file, "step": 10 * (index + 1), "phases": phases})
    about = {"scenario": "toys", "method": "replay", "shot": "any", "seed": 0}
    about |= {"architecture": architecture, "width": 4, "image_size": SIZE, "mean": [0.5] * 3, "std": [0.25] * 3}
    write_json(folder / "model.json", about | {"checkpoints": listed, "wall_seconds": 1.0})
    return folder


def write_evaluation(
    root: Path,
    method: str,
    mean: float,
    *,
    shot: int = 1,
    seed: int = 0,
    protocols: tuple[str, ...] = ("finetune", "finetune_tuned", "ncm"),
    datasets: tuple[str, ...] = ("toys",),
    n_episodes: int = 40,
    selections: tuple[str, ...] = ("last", "datafree", "meta_val", "oracle"),
) -> Path:
    """Write an ``episodes.parquet`` of accuracies around ``mean``; all methods share the episodes' difficulty."""
    folder = root / "evaluation" / "toys" / method / f"shot-{shot}" / f"seed-{seed}"
    folder.mkdir(parents=True)
    frames = []
    for protocol in protocols:
        for selection in selections:
            for dataset in datasets:
                difficulty = seeds.numpy_generator("difficulty", dataset, shot).normal(0, 0.08, n_episodes)
                names = ("own", method, dataset, shot, protocol, selection, seed)
                own = seeds.numpy_generator(*names).normal(0, 0.03, n_episodes)
                accuracy = np.round(np.clip(mean + difficulty + own, 0, 1) * 75) / 75
                frames.append(
                    pd.DataFrame(
                        {
                            "scenario": "toys",
                            "dataset": dataset,
                            "method": method,
                            "shot": shot,
                            "seed": seed,
                            "protocol": protocol,
                            "selection": selection,
                            "checkpoint": 0,
                            "episode": range(n_episodes),
                            "accuracy": accuracy,
                            "bn_mode": EVALUATION.bn_mode_of(protocol),
                            "split": "meta_test",
                            "phase": "group + replay" if method == "tgr" else "",
                        }
                    )
                )
    pd.concat(frames, ignore_index=True).to_parquet(folder / "episodes.parquet", index=False)
    return folder


def summary_of(folders: Sequence[Path], methods: Mapping[str, str]) -> pd.DataFrame:
    """Return the summary of some evaluations, as the workflow keeps it."""
    file = Path(folders[0]).parents[4] / "summary.parquet"
    write_summary(evaluations=folders, methods=methods, summary=file, seeds=file.with_name("seeds.parquet"))
    return read_frame(file)


def write_task_space(root: Path) -> tuple[Path, Path, list[Path]]:
    """Write the teachers of two pools, their dissimilarities and two groups; return dissimilarity, groups, teachers."""
    shards = [write_shard(root, f"{name}-conv4", make_dataset(name))[0] for name in ("toys", "tools")]
    teachers = [f"{name}-conv4/{teacher_name(i)}" for name in ("toys", "tools") for i in range(2)]
    matrix = 0.5 * (torch.ones(4, 4, dtype=torch.float64) - torch.eye(4, dtype=torch.float64))
    save_tensors(root / "dissimilarity.safetensors", {"dissimilarity": matrix}, {"teachers": teachers})
    quality = {"sizes": [2, 2], "n_small": 0, "within": 0.5, "between": 0.5, "silhouette": 0.0}
    write_json(root / "groups.json", {"teachers": teachers, "groups": [0, 1, 0, 1], "n_groups": 2} | quality)
    return root / "dissimilarity.safetensors", root / "groups.json", shards
