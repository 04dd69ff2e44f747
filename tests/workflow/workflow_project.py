"""Running the workflow in a copy of the project."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from tgr import seeds
from tgr.artifacts import digest, is_record, save_tensors
from tgr.backbones.registry import build

REPOSITORY = Path(__file__).parents[2]
SPLITS = {"meta_train": 5, "meta_val": 3, "meta_test": 3}
IGNORED = shutil.ignore_patterns(
    ".git", ".venv", ".snakemake", "__pycache__", ".*_cache", "results", "build", "docs", "benchmarks"
)
STAGES = ("datasets", "episodes", "teachers", "recovered", "transfer", "embeddings", "task_space", "models")
STAGES += ("evaluation", "summary", "analysis", "tables", "figures")
ABLATION = {"tabulate_ablation", "summarise_ablation", "plot_ablation", "plot_conflict"}
"""The rules that only a configuration with ablations needs."""
NETWORK = """from torch import nn


def make(n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(768, n_classes))
"""
"""A stranger's code."""
COUNTED = [0.00384, 0.003845, 5e-06, 768]
"""What the plan counts of it; the first start of the workflow in a folder would spend six seconds on that."""
COUNTS = ".snakemake/networks.json"
"""Where the plan keeps it."""
VOLATILE = "cost*.*"
"""Tables of seconds, which differ from run to run."""
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "TGR_WORKFLOW_PID")}


@dataclass(frozen=True)
class Project:
    """A copy of the project with a working directory of its own, which is the copy itself.

    Attributes:
        patience: seconds after which a run counts as hung.
    """

    root: Path
    config: str = "tests/workflow/tiny.yaml"
    patience: float = 1200

    def command(self, *options: str, cores: int = 2) -> list[str]:
        given = ["--configfile", self.config] if self.config else []
        return [sys.executable, "-m", "snakemake", *given, "--cores", str(cores), *options]

    def run(self, *options: str, cores: int = 2, check: bool = True) -> str:
        """Run Snakemake and return what it prints."""
        done = subprocess.run(
            self.command(*options, cores=cores),
            cwd=self.root,
            env=ENVIRONMENT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=self.patience,
        )
        assert not check or done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def planned(self, *options: str) -> dict[str, int]:
        """Return how many jobs of each rule a run would execute; `all` is left out."""
        return job_counts(self.run("--dry-run", *options))

    def digests(self) -> dict[str, str]:
        """Return the digest of every file that a stage made, except of those that hold seconds."""
        files = [file for stage in STAGES for file in (self.root / "results" / stage).rglob("*") if file.is_file()]
        made = [file for file in sorted(files) if not is_record(file) and not file.match(VOLATILE)]
        return {file.relative_to(self.root).as_posix(): digest(file) for file in made}

    def edit(self, path: str, line: str = "\n# edited\n") -> None:
        """Append a line to a file."""
        file = self.root / path
        file.write_text(file.read_text() + line)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace text in a file, which must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))


def job_counts(output: str) -> dict[str, int]:
    """Return how many jobs of each rule a run announced in its output; `all` is left out."""
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:")[1].split("total")[0]
    counts = dict(re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE))
    return {rule: int(count) for rule, count in counts.items() if rule != "all"}


def copy_project(folder: Path) -> Project:
    """Copy the project without results, with the data of the tiny configuration."""
    shutil.copytree(REPOSITORY, folder, ignore=_not_copied)
    write_shapes(folder / "data")
    write_models(folder / "data")
    return Project(folder)


def _not_copied(folder: str, names: list[str]) -> set[str]:
    """Leave out generated files, and the folder in which users keep datasets of their own."""
    return IGNORED(folder, names) | ({"data"} if Path(folder) == REPOSITORY else set())


def write_models(folder: Path) -> None:
    """Write two models of strangers, of 2 and of 3 classes, one with code of its own, and their table."""
    rows = ["name,architecture,width,weights,sha256,classes,image_size,mean,std,licence"]
    plain = build("conv4", 2, 4, 16, "stranger")
    save_tensors(folder / "plain.safetensors", plain.state_dict())
    (folder / "network.py").write_text(NETWORK)
    with seeds.forked("stranger"):
        save_tensors(folder / "own.safetensors", nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).state_dict())
    own = "python:data.network:make"
    for name, architecture, file, n in (("a", "conv4", "plain.safetensors", 2), ("b", own, "own.safetensors", 3)):
        sha256 = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        rows.append(f'{name},{architecture},4,{file},{sha256},{n},16,"[0.5, 0.5, 0.5]","[0.25, 0.25, 0.25]",CC0')
    (folder / "models.csv").write_text("\n".join(rows) + "\n")
    counts = folder.parent / COUNTS
    counts.parent.mkdir(exist_ok=True)
    key = f"{own} {hashlib.sha256(NETWORK.encode()).hexdigest()[:16]} 16 px"
    counts.write_text(json.dumps({key: COUNTED}))


def write_shapes(folder: Path, per_class: int = 12, size: int = 16) -> None:
    """Write a small dataset of coloured stripes and its split: ``shapes.npz`` and ``splits.json``."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    names = [f"{split}_{i}" for split, count in SPLITS.items() for i in range(count)]
    labels = np.repeat(np.arange(len(names)), per_class)
    rows = np.arange(size)[None, :, None, None]
    wave = np.sin(rows * (labels + 1)[:, None, None, None] * 0.4)
    colour = generator.uniform(0.3, 1, (len(names), 1, 1, 3))[labels]
    noise = generator.normal(0, 0.1, (len(labels), size, size, 3))
    images = np.clip((wave * colour * 0.5 + 0.5 + noise) * 255, 0, 255).astype(np.uint8)
    np.savez(folder / "shapes.npz", images=images, labels=labels, class_names=np.array(names))
    splits = {split: [name for name in names if name.startswith(split)] for split in SPLITS}
    (folder / "splits.json").write_text(json.dumps(splits))
