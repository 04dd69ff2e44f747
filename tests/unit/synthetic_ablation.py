"""An ablation's evaluations and models in the real on-disk formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from synthetic_results import write_evaluation

from tgr import seeds
from tgr.analysis.ablation import summarise_ablation
from tgr.artifacts import write_json

CONFLICT = ("relative_variance", "gradient_cosine")


def write_variant(
    root: Path, name: str, mean: float, *, shots: tuple[int, ...] = (1, 5), seed: int = 0, conflict: float | None = 1.0
) -> tuple[list[Path], Path]:
    """Write the evaluations and the model of one variant; recovered tasks are 0.1 easier than unseen ones."""
    folders = []
    for shot in shots:
        folder = write_evaluation(root, name, mean + 0.03 * shot, shot=shot, seed=seed)
        scores = [
            {"checkpoint": checkpoint, "step": checkpoint, "rule": rule, "accuracy": round(mean + add, 6)}
            for checkpoint in (0, 1)
            for rule, add in (("datafree", 0.1 + 0.01 * checkpoint), ("meta_val", 0.05), ("oracle", 0.01 * checkpoint))
        ]
        chosen = {"last": 1, "datafree": 1, "meta_val": 0, "oracle": 1}
        about = {"scenario": "toys", "method": name, "shot": shot, "seed": seed}
        write_json(folder / "selection.json", about | {"scores": scores, "chosen": chosen, "tuned": {}})
        folders.append(folder)
    model = root / "models" / "toys" / name / "shot-any" / f"seed-{seed}"
    model.mkdir(parents=True)
    write_json(model / "model.json", {"scenario": "toys", "method": name, "shot": "any", "seed": seed})
    rows = [(step, "group", "loss", 1 / (step + 1)) for step in range(1, 41)]
    if conflict is not None:
        noise = seeds.numpy_generator("conflict", name, seed).normal(0, 0.1, (40, 2))
        for step in range(1, 41):
            rows += [
                (step, "group", "relative_variance", conflict * (1 + 40 / step + noise[step - 1, 0])),
                (step, "group", "gradient_cosine", 0.2 * conflict + noise[step - 1, 1]),
            ]
    frame = pd.DataFrame(rows, columns=["step", "phase", "name", "value"])
    frame.astype({"step": "int64", "value": "float64"}).to_parquet(model / "curves.parquet", index=False)
    return folders, model


def write_variants(
    root: Path, variants: Mapping[str, Mapping[str, Any]], seeds_: tuple[int, ...] = (0,)
) -> tuple[list[Path], list[Path]]:
    """Write all variants; their means rise from 0.4."""
    evaluations, models = [], []
    for index, name in enumerate(variants):
        for seed in seeds_:
            folders, model = write_variant(root, name, 0.4 + 0.02 * index, seed=seed, conflict=1 + 0.2 * index)
            evaluations += folders
            models.append(model)
    return evaluations, models


def measure_ablation(root: Path, variants: Mapping[str, Mapping[str, Any]], **options: Any) -> dict[str, Path]:
    """Write all variants and summarise them; return the files by the names of their parameters."""
    evaluations, models = write_variants(root, variants, **options)
    suffixes = {"accuracies": "csv", "ablation": "csv", "conflict": "parquet", "seeds": "parquet"}
    files = {name: root / f"{name}.{suffix}" for name, suffix in suffixes.items()}
    summarise_ablation(evaluations=evaluations, models=models, variants=variants, headline="meta_val", **files)
    return files


def level_variants() -> dict[str, dict[str, Any]]:
    """Return the variants of a numeric and a categorical factor."""
    return {
        "tgr" + ("" if (level, treatment) == (1.0, "implicit") else f".level-{level:g}.treatment-{treatment}"): {
            "method": "TGR",
            "changes": {"level": level, "treatment": treatment},
        }
        for level in (0.0, 0.25, 0.5, 0.75, 1.0)
        for treatment in ("implicit", "none")
    }


def lambda_variants() -> dict[str, dict[str, Any]]:
    """Return the variants of one numeric factor that spans decades and has a zero."""
    return {
        "tgr" if value == 1e-3 else f"tgr.gradient_lambda-{value:g}": {
            "method": "TGR",
            "changes": {"gradient_lambda": value},
        }
        for value in (0.0, 1e-4, 1e-3, 1e-2, 1e-1)
    }


def grouping_variants() -> dict[str, dict[str, Any]]:
    """Return the variants of two categorical factors."""
    return {
        "tgr" if (g, t) == ("heterogeneous", "implicit") else f"tgr.grouping-{g}.treatment-{t}": {
            "method": "TGR",
            "changes": {"grouping": g, "treatment": t},
        }
        for g in ("heterogeneous", "homogeneous", "random")
        for t in ("implicit", "none")
    }
