"""What `benchmarks.gpu` runs: each stage a few steps, comparisons with the CPU in float64, the main experiment."""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from tgr.artifacts import digest, write_json
from tgr.backbones.classifier import Classifier, batchnorm_mode
from tgr.backbones.probe import load_probe
from tgr.backbones.registry import build
from tgr.config.experiments import Scenario
from tgr.config.learning import Evaluation, Meta
from tgr.config.methods.panel import PanelChoice
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.config.teachers import Dataset, Inversion, Pool, Pretrain, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.data.episodes import draw_episodes
from tgr.data.readers.registry import find
from tgr.data.sources import load_dataset
from tgr.evaluation.protocols import finetuning
from tgr.evaluation.stage import evaluate
from tgr.inversion.registry import get as get_engine
from tgr.inversion.stage import invert_shard
from tgr.meta.learners import Episode, Learner, fomaml, maml
from tgr.meta.nearest_mean import Task, ncm
from tgr.meta.regularisation import regularised_gradient
from tgr.methods.stage import train_method
from tgr.panel.stage import judge_shard
from tgr.pool.pretrain import pretrain_shard, pretrain_teacher
from tgr.pool.teacher import load_teachers
from tgr.task_space.fisher import embed

NAME, CLASSES = "icons", 5
SCENARIO = Scenario(pools=[NAME], evaluate_on=[NAME])
MAY_ROUND = ("pre-training", "inversion, pixel", "inversion, generator", "fine-tuning", "nearest class mean")
RECORDED = ("pre-training", "inversion, pixel", "train bank", "train replay", "train tgr", "fine-tuning")
METHODS = ("bank", "distil", "replay", "tgr", "purer", "bidf_mkd", "free")
Compute = Callable[[torch.device], Tensor]
Stage = Callable[[Path], None]


def icons() -> ImageDataset:
    """Return the embedded dataset."""
    section = Dataset(source="pack")
    return load_dataset(NAME, section, find(NAME, section))


def pretrain(device: torch.device, teachers: int, epochs: int) -> None:
    """Train some teachers, and forget them."""
    dataset = icons()
    for index in range(teachers):
        pretrain_teacher(NAME, index, _pool(teachers), Pretrain(epochs=epochs, batch_size=32), dataset, device)


def _pool(teachers: int, width: int = 32) -> Pool:
    return Pool(dataset=NAME, n_way=CLASSES, n_teachers=teachers, width=width)


# --- The same in float64 on the CPU and on the device -----------------------------------------------------------------


def _network(device: torch.device) -> torch.nn.Module:
    return build("conv4", CLASSES, 8, 16, "compare").to(device)


def _images(device: torch.device, seed: int, n: int = 10) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, 16, 16, generator=draws).to(device), (torch.arange(n) % CLASSES).to(device)


def _flat(values: Any) -> Tensor:
    return torch.cat([value.detach().cpu().flatten() for value in values])


def gradient(device: torch.device) -> Tensor:
    """Return the gradient of a Conv4."""
    model = _network(device)
    images, labels = _images(device, 0)
    return _flat(torch.autograd.grad(cross_entropy(model(images), labels), list(model.parameters())))


def group_gradient(device: torch.device) -> Tensor:
    """Return the regularised gradient of four losses."""
    model = _network(device)
    batches = [_images(device, seed) for seed in range(4)]
    losses = [lambda p, x=x, y=y: cross_entropy(functional_call(model, p, (x,)), y) for x, y in batches]
    with batchnorm_mode(model, "batch"):
        return _flat(regularised_gradient(losses, dict(model.named_parameters()), 1e-3).gradient.values())


def second_order(device: torch.device) -> Tensor:
    """Return the gradient of second-order MAML."""
    model = _network(device)
    episode = Episode(*_images(device, 0), *_images(device, 1))
    parameters = dict(model.named_parameters())
    with batchnorm_mode(model, "batch"):
        outcome = maml(model, parameters, episode, 0.1, 3)
    return _flat(torch.autograd.grad(outcome.loss, list(parameters.values())))


COMPARED: dict[str, Compute] = {"gradient": gradient, "group step": group_gradient, "second order": second_order}


def compare(compute: Compute, device: torch.device) -> dict[str, Any]:
    """Return how far a computation in float64 on a device lies from the CPU's, relative to its norm."""
    torch.set_default_dtype(torch.float64)
    try:
        here, there = compute(torch.device("cpu")), compute(device)
    finally:
        torch.set_default_dtype(torch.float32)
    return {"relative_error": float((here - there).norm() / here.norm()), "norm": float(here.norm())}


# --- Each stage, a few steps, twice -----------------------------------------------------------------------------------


class Chain:
    """The stages of one small pool, below a folder."""

    def __init__(self, root: Path, device: torch.device, teachers: int, width: int = 32) -> None:
        self.root, self.device, self.teachers, self.width = root, device, teachers, width
        self.dataset = icons()
        self.scenario = SCENARIO.model_copy(update={"width": width})
        self.folders = {part: [root / part] for part in ("teachers", "recovered", "judgements")}
        self.dataset.save(root / "dataset.safetensors")
        write_json(root / "groups.json", {"groups": [index % 2 for index in range(teachers)]})

    def pretrain(self, folder: Path, **changes: Any) -> None:
        """Train the teachers."""
        pretrain_shard(
            pool=NAME,
            members=range(self.teachers),
            kind=_pool(self.teachers, self.width),
            pretrain=Pretrain(**changes),
            dataset=self.dataset,
            teachers=folder,
            device=self.device,
        )

    def invert(self, folder: Path, **changes: Any) -> None:
        """Recover images."""
        (teachers,) = self.folders["teachers"]
        invert_shard(
            teachers=teachers, inversion=Inversion(**changes), probe=TaskSpace(), recovered=folder, device=self.device
        )

    def judge(self, folder: Path) -> None:
        """Let the teachers judge the images."""
        teachers, recovered = self.folders["teachers"], self.folders["recovered"]
        judge_shard(
            scenario=NAME,
            teachers=teachers,
            recovered=recovered,
            owners=teachers[0],
            images=recovered[0],
            choice=PanelChoice(),
            judgements=folder,
            device=self.device,
        )

    def train(self, folder: Path, method: str, meta: Meta, **changes: Any) -> None:
        """Train a method."""
        train_method(
            scenario=NAME,
            method=method,
            shot="any",
            seed=0,
            variant={method: parameters_of(method, changes).model_dump()},
            meta_model=self.scenario,
            meta=meta,
            **self.folders,
            groups=self.root / "groups.json",
            datasets=[self.root / "dataset.safetensors"],
            model=folder,
            device=self.device,
        )

    def evaluate(self, folder: Path, method: str, model: Path, evaluation: Evaluation, meta: Meta) -> None:
        """Evaluate a model by 5-shot episodes."""
        shape = {name: getattr(evaluation, name) for name in ("n_way", "n_query", "n_episodes", "n_val_episodes")}
        draw_episodes(
            dataset=self.root / "dataset.safetensors", shot=5, shape=shape, episodes=self.root / "episodes.safetensors"
        )
        evaluate(
            scenario=NAME,
            method=method,
            shot=5,
            seed=0,
            evaluate_on=[NAME],
            evaluation=evaluation,
            held_out_per_class=meta.held_out_per_class,
            model=model,
            datasets=[self.root / "dataset.safetensors"],
            episodes=[self.root / "episodes.safetensors"],
            recovered=self.folders["recovered"],
            teachers=self.folders["teachers"],
            folder=folder,
            device=self.device,
        )


def stages(device: torch.device, *, quick: bool) -> Iterator[tuple[str, Stage]]:
    """Yield each stage and method in its smallest form, by name: a function that writes into a folder."""
    meta = Meta(k_shot=1, n_query=2, inner_steps=1, meta_batch_size=2, n_checkpoints=1, held_out_per_class=2)
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder), device, teachers=3, width=8)
        chain.pretrain(chain.folders["teachers"][0], epochs=1)
        chain.invert(chain.folders["recovered"][0], steps=2, images_per_class=6)
        chain.judge(chain.folders["judgements"][0])
        yield "pre-training", lambda out: chain.pretrain(out, epochs=1)
        for engine in ("pixel", "generator"):
            yield (
                f"inversion, {engine}",
                lambda out, engine=engine: chain.invert(
                    out, steps=3, images_per_class=6, engine=engine, generator_width=8
                ),
            )
        yield "panel", chain.judge
        for method, card in list(CARDS.items())[:: 6 if quick else 1]:
            yield method, lambda out, method=method, card=card: chain.train(out, method, meta, **card.small)
        chain.train(Path(folder) / "model", "bank", meta, **CARDS["bank"].small)
        few = Evaluation(n_query=2, n_episodes=5, n_val_episodes=3, protocols=["finetune", "ncm"])
        yield "evaluation", lambda out: chain.evaluate(out, "bank", Path(folder) / "model", few, meta)


def run_twice(stage: Stage) -> dict[str, Any]:
    """Return the digest of what a stage writes, whether it is the same twice, and the seconds of the second time."""
    with tempfile.TemporaryDirectory() as folder:
        digests = []
        for name in ("first", "again"):
            started = time.perf_counter()
            stage(Path(folder) / name)
            digests.append(digest(Path(folder) / name))
    return {
        "same": digests[0] == digests[1],
        "digest": digests[0][:16],
        "second_s": round(time.perf_counter() - started, 2),
    }


# --- Steps of the sizes in use ----------------------------------------------------------------------------------------


def steps(device: torch.device, *, quick: bool) -> Iterator[tuple[str, Callable[[int], object]]]:
    """Yield a function of a number of steps for each stage and method, by name, at the sizes of a first look."""
    size = 8 if quick else 32
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder), device, teachers=4, width=size)
        chain.pretrain(chain.folders["teachers"][0], epochs=1)
        per_class = 10 if quick else 30
        chain.invert(chain.folders["recovered"][0], steps=2, images_per_class=per_class)
        chain.judge(chain.folders["judgements"][0])
        teacher, meta = load_teachers(chain.folders["teachers"], device)[0], Meta(n_query=2 if quick else 15)
        count = iter(range(10**6))

        def pretraining(n: int) -> None:
            # As many batches an epoch as the split has; with a batch of all images an epoch is one step.
            config = Pretrain(epochs=n, batch_size=10**4)
            pretrain_teacher(NAME, 0, _pool(4, size), config, chain.dataset, device)

        yield "pre-training", pretraining
        labels = torch.arange(CLASSES).repeat_interleave(per_class)
        for engine in ("pixel", "generator"):

            def inversion(n: int, engine: str = engine) -> None:
                draws, config = (
                    torch.Generator().manual_seed(0),
                    Inversion(engine=engine, steps=n, generator_width=2 * size),
                )
                get_engine(engine)(teacher, labels, config, None, draws)

            yield f"inversion, {engine}", inversion
        for method in METHODS[:: 3 if quick else 1]:

            def training(n: int, method: str = method) -> None:
                length = {"group_steps": n, "replay_steps": 0} if method == "tgr" else {"steps": n}
                chain.train(Path(folder) / f"model-{next(count)}", method, meta, **length)

            yield f"train {method}", training
        model = build("conv4", CLASSES, size, 32, "steps").to(device).eval()
        task = Task(torch.randn(CLASSES, 5, 3, 32, 32).to(device), torch.randn(CLASSES, 15, 3, 32, 32).to(device))
        yield "fine-tuning", lambda n: adapted(model, task, n)
        yield "nearest class mean", lambda n: [ncm(model, task, "batch") for _ in range(n)]


def adapted(model: Classifier, task: Task, n: int) -> None:
    """Fine-tune a model on a task some times."""
    adapt = finetuning(model, 0.01, [10], "batch")
    for _ in range(n):
        adapt(task)


def unit_steps(device: torch.device, *, quick: bool) -> Iterator[tuple[str, int, Callable[[int], object]]]:
    """Yield a stage of `tgr.plan.gpu.Steps`, the images of a step, and a function of a number of steps."""
    space = TaskSpace(weights="random")
    probe = cache(lambda: load_probe(space, device))
    model = build("conv4", CLASSES, 32, 32, "unit costs").to(device)
    parameters = dict(model.named_parameters())
    count = iter(range(10**6))
    with tempfile.TemporaryDirectory() as folder, batchnorm_mode(model, "batch"):
        chain = Chain(Path(folder), device, teachers=1)
        chain.pretrain(chain.folders["teachers"][0], epochs=1)
        chain.invert(chain.folders["recovered"][0], steps=2, images_per_class=10 if quick else 30)
        teacher = load_teachers(chain.folders["teachers"], device)[0]

        def training(n: int, images: int) -> None:
            chain.train(Path(folder) / f"model-{next(count)}", "bank", Meta(), steps=n, batch_size=images)

        def prediction(n: int, images: int) -> None:
            inputs = torch.randn(images, 3, 32, 32).to(device)
            with torch.no_grad():
                for _ in range(n):
                    model(inputs)

        def inversion(n: int, images: int, engine: str = "pixel") -> None:
            labels = torch.arange(CLASSES).repeat_interleave(images // CLASSES)
            config = Inversion(engine=engine, steps=n, generator_width=64)
            get_engine(engine)(teacher, labels, config, None, torch.Generator().manual_seed(0))

        def episodes(n: int, images: int, learner: Learner) -> None:
            inputs, labels = torch.randn(images, 3, 32, 32).to(device), (torch.arange(images) % CLASSES).to(device)
            support = images // 4
            episode = Episode(inputs[:support], labels[:support], inputs[support:], labels[support:])
            for _ in range(n):
                torch.autograd.grad(learner(model, parameters, episode, 0.01, 5).loss, list(parameters.values()))

        def embedding(n: int, images: int) -> None:
            inputs = torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8)
            for _ in range(n):
                embed(probe(), inputs, torch.arange(images) % CLASSES, space)

        sizes: dict[str, tuple[Callable[..., None], tuple[int, ...], tuple[int, ...]]] = {
            "training": (training, (8, 512), (5, 10)),
            "prediction": (prediction, (8, 512), (5, 10)),
            "inversion": (inversion, (30, 300), (5, 10)),
            "inversion_generator": (partial(inversion, engine="generator"), (150,), (5,)),
            "first_order": (partial(episodes, learner=fomaml), (100,), (8,)),
            "second_order": (partial(episodes, learner=maml), (100,), (8,)),
            "embedding": (embedding, (50,), (2,)),
        }
        for stage, (run, usual, small) in sizes.items():
            for images in small if quick else usual:
                yield stage, images, partial(run, images=images)


# --- The main experiment ----------------------------------------------------------------------------------------------


def main_experiment(device: torch.device, *, quick: bool) -> dict[str, Any]:
    """Return the seconds of each stage of a first look (without the probe), and accuracies of `bank` and `tgr`."""
    teachers, width = (3, 8) if quick else (20, 32)
    meta = Meta(inner_lr=0.05)
    evaluation = Evaluation(
        n_episodes=4 if quick else 100, n_val_episodes=3 if quick else 40, protocols=["finetune", "ncm"]
    )
    lengths = {"bank": {"steps": 4 if quick else 1000}, "tgr": {"group_steps": 4 if quick else 260, "replay_steps": 3}}
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        chain = Chain(root, device, teachers, width)

        def timed(name: str, run: Callable[[], None]) -> None:
            started = time.perf_counter()
            run()
            found[f"{name}_s"] = round(time.perf_counter() - started, 1)

        recipe = {"batch_size": 32, "lr": 0.005, "schedule": "one_cycle", "label_smoothing": 0.1, "crop_shift": 0.0625}
        epochs = 1 if quick else 14
        timed("pretrain", lambda: chain.pretrain(chain.folders["teachers"][0], epochs=epochs, **recipe))
        timed("invert", lambda: chain.invert(chain.folders["recovered"][0], steps=2 if quick else 60))
        timed("judge", lambda: chain.judge(chain.folders["judgements"][0]))
        for method, length in lengths.items():
            model, out = root / method, root / f"evaluated-{method}"
            timed(
                f"train_{method}",
                lambda method=method, length=length, model=model: chain.train(model, method, meta, **length),
            )
            timed(
                f"evaluate_{method}",
                lambda method=method, model=model, out=out: chain.evaluate(out, method, model, evaluation, meta),
            )
            rows = pd.read_parquet(out / "episodes.parquet").query("selection == 'last' and protocol == 'ncm'")
            found[f"accuracy_{method}"] = round(float(rows["accuracy"].mean()), 4)
    return found
