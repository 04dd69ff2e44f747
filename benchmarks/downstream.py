"""What recovered images are worth: `bank` learns from those of a few teachers, by each recipe of inversion.

Run by hand, from the project's root, with a shard of teachers and their dataset:
    python -m benchmarks.downstream --teachers results/teachers/... --dataset results/datasets/<name>.safetensors
Accuracies are those of unseen classes (meta-val). The generator takes minutes a teacher. A short form: --quick
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import timing
from tgr import seeds
from tgr.backbones.classifier import Classifier
from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.bank import Bank
from tgr.config.teachers import Inversion
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import sample_episodes
from tgr.data.transforms import normalise
from tgr.evaluation.protocols import finetune
from tgr.inversion.recovered import Recovered
from tgr.inversion.stage import invert_teacher
from tgr.meta.bank import MEAN, STD, bank_of_recovered
from tgr.meta.nearest_mean import Task, ncm
from tgr.methods.bank import train_on
from tgr.methods.training import Training
from tgr.pool.card import read_cards
from tgr.pool.teacher import Teacher, load_teacher

CPU = torch.device("cpu")
RECIPES = {
    "pixel engine": {},
    "pixel engine, relative distances": {"bn_distance": "relative", "bn_weight": 20},
    "generator engine": {"engine": "generator"},
}
INNER_LR, INNER_STEPS = 0.05, 10
N_WAY, N_QUERY, N_FINETUNED = 5, 15, 60


def main() -> None:
    """Print a line for each recipe and seed."""
    options = timing.parser(__doc__, rounds=2)
    options.add_argument("--teachers", type=Path, required=True, help="a shard of teachers")
    options.add_argument("--dataset", type=Path, required=True, help="their dataset")
    options.add_argument("--count", type=int, default=4, help="teachers whose images are used")
    options.add_argument("--steps", type=int, default=500, help="training steps of bank")
    options.add_argument("--episodes", type=int, default=200)
    arguments = options.parse_args()
    small = {"images_per_class": 4, "steps": 1} if arguments.quick else {}
    if arguments.quick:
        arguments.rounds, arguments.steps, arguments.episodes, arguments.count = 1, 2, 2, 2
    timing.begin(arguments)
    cards = read_cards(arguments.teachers)[: arguments.count]
    teachers = [load_teacher(arguments.teachers, card, CPU) for card in cards]
    dataset = ImageDataset.load(arguments.dataset)
    tasks = {shot: _tasks(dataset, shot, arguments.episodes) for shot in (1, 5)}
    print(f"\n{len(teachers)} teachers, bank with {arguments.steps} steps, {arguments.episodes} episodes, percent")
    for name, changes in RECIPES.items():
        started = time.process_time()
        recovered = [invert_teacher(teacher, Inversion.model_validate(changes | small)) for teacher in teachers]
        seconds = (time.process_time() - started) / len(teachers)
        for seed in range(arguments.rounds):
            model = _bank(teachers, recovered, arguments.steps, seed)
            found = [_measured(model, own, shot) for shot, own in tasks.items()]
            print(f"  {name} ({seconds:.1f} s of computing a teacher), seed {seed}: {', '.join(found)}", flush=True)


def _tasks(dataset: ImageDataset, shot: int, count: int) -> list[Task]:
    members = [dataset.indices_of(index) for index in dataset.splits["meta_val"]]
    episodes = sample_episodes(members, N_WAY, shot, N_QUERY, count, seeds.numpy_generator("downstream", shot))
    return [
        Task(*(normalise(dataset.images[part.flatten()], MEAN, STD).unflatten(0, part.shape) for part in pair))
        for pair in zip(episodes.support, episodes.query, strict=True)
    ]


def _bank(teachers: Sequence[Teacher], recovered: Sequence[Recovered], steps: int, seed: int) -> Classifier:
    """Return what bank learns, with a fresh zero head for tasks."""
    training = Training(
        meta_model=MetaModel(image_size=recovered[0].card.image_size),
        meta=Meta(),
        k_shot=1,
        seed_names=("downstream", seed),
        teachers=teachers,
        recovered=recovered,
        groups=[],
        real=[],
        device=CPU,
    )
    bank = bank_of_recovered(recovered, training.meta_model.image_size, 0, "shared")
    state = train_on(bank, Bank(steps=steps), training).checkpoints[-1][1]
    model = training.model(N_WAY)
    head = {"head.weight": torch.zeros_like(model.head.weight), "head.bias": torch.zeros_like(model.head.bias)}
    model.load_state_dict(state | head)
    return model


def _measured(model: Classifier, tasks: Sequence[Task], shot: int) -> str:
    means = 100 * np.mean([ncm(model, task, "batch") for task in tasks])
    tuned = [finetune(model, task, INNER_LR, [INNER_STEPS], "batch")[0] for task in tasks[:N_FINETUNED]]
    return f"{shot}-shot ncm {means:.1f}, fine-tuned {100 * np.mean(tuned):.1f}"


if __name__ == "__main__":
    main()
