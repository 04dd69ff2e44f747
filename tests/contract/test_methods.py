"""The contract of every registered method, on a tiny scenario."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tests.device import DEVICE
from tgr.artifacts import digest, read_json, write_json
from tgr.config.experiments import Scenario
from tgr.config.learning import Meta
from tgr.config.methods.base import MethodParameters
from tgr.config.methods.panel import PanelChoice
from tgr.config.methods.registry import CARDS, parameters_of
from tgr.config.teachers import Inversion, Pool, Pretrain, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.data.transforms import resize
from tgr.errors import TgrError
from tgr.evaluation.identity import read_identity
from tgr.evaluation.model import read_model
from tgr.inversion.stage import invert_shard
from tgr.meta.group_sampler import GroupSampler
from tgr.meta.learners import LEARNERS
from tgr.methods.stage import train_method
from tgr.panel.stage import judge_shard
from tgr.pool.pretrain import pretrain_shard

METHODS = list(CARDS)
POOLING = [name for name in METHODS if "class_identity" in CARDS[name].model_fields]
SCENARIO = Scenario(pools=["tiny-conv4"], evaluate_on=["tiny"], width=8, image_size=16)
META = Meta(n_way=3, k_shot=1, n_query=2, inner_steps=1, meta_batch_size=2, n_checkpoints=2, held_out_per_class=2)


def parameters(method: str, **changes: object) -> MethodParameters:
    return parameters_of(method, {**CARDS[method].small, **changes})


def let_judge(teachers: list[Path], recovered: list[Path], folder: Path) -> list[Path]:
    """Let a panel judge all recovered images of some shards; return the folders of the judgements."""
    made = [folder / f"judgements-{shard}" for shard in range(len(teachers))]
    for owners, images, judgements in zip(teachers, recovered, made, strict=True):
        judge_shard(
            scenario="tiny",
            teachers=teachers,
            recovered=recovered,
            owners=owners,
            images=images,
            choice=PanelChoice(panel_size=3),
            judgements=judgements,
            device=DEVICE,
        )
    return made


@pytest.fixture(scope="module")
def inputs(tiny_dataset: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("scenario")
    pool = Pool(dataset="tiny", n_teachers=4, n_way=3, width=8)
    pretrain_shard(
        pool="tiny-conv4",
        members=range(4),
        kind=pool,
        pretrain=Pretrain(epochs=2, batch_size=16),
        dataset=tiny_dataset,
        teachers=folder / "teachers",
        device=DEVICE,
    )
    invert_shard(
        teachers=folder / "teachers",
        inversion=Inversion(steps=2, images_per_class=6),
        probe=TaskSpace(),
        recovered=folder / "recovered",
        device=DEVICE,
    )
    write_json(folder / "groups.json", {"groups": [0, 1, 0, 1]})
    tiny_dataset.save(folder / "tiny.safetensors")
    return {
        "teachers": [folder / "teachers"],
        "recovered": [folder / "recovered"],
        "groups": folder / "groups.json",
        "datasets": [folder / "tiny.safetensors"],
        "judgements": let_judge([folder / "teachers"], [folder / "recovered"], folder),
    }


@pytest.fixture(scope="module")
def mixed(inputs: dict, tiny_dataset: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The same teachers and two of another domain, architecture, input size and number of classes."""
    folder = tmp_path_factory.mktemp("mixed")
    images = resize(tiny_dataset.images, 24)
    other = ImageDataset("other", images, tiny_dataset.labels, tiny_dataset.class_names, tiny_dataset.splits, False)
    pool = Pool(dataset="other", architecture="resnet10", n_teachers=2, n_way=2, width=8)
    pretrain_shard(
        pool="other-resnet10",
        members=range(2),
        kind=pool,
        pretrain=Pretrain(epochs=1),
        dataset=other,
        teachers=folder / "teachers",
        device=DEVICE,
    )
    config = Inversion(steps=2, images_per_class=6)
    invert_shard(
        teachers=folder / "teachers", inversion=config, probe=TaskSpace(), recovered=folder / "recovered", device=DEVICE
    )
    write_json(folder / "groups.json", {"groups": [0, 1, 0, 1, 0, 1]})
    other.save(folder / "other.safetensors")
    teachers, recovered = ([*inputs[part], folder / part] for part in ("teachers", "recovered"))
    return {
        "teachers": teachers,
        "recovered": recovered,
        "judgements": let_judge(teachers, recovered, folder),
        "groups": folder / "groups.json",
        "datasets": [*inputs["datasets"], folder / "other.safetensors"],
    }


def train(inputs: dict, method: str, folder: Path, seed: int = 0, meta: Meta = META, **changes: object) -> Path:
    train_method(
        scenario="tiny",
        method=method,
        shot="any",
        seed=seed,
        variant={method: parameters(method, **changes).model_dump()},
        meta_model=SCENARIO,
        meta=meta,
        **inputs,
        model=folder,
        device=DEVICE,
    )
    return folder


def weights(folder: Path) -> dict[str, str]:
    return {file.name: digest(file) for file in folder.glob("*.safetensors")}


@pytest.mark.parametrize("method", METHODS)
def test_writes_a_model_that_evaluation_can_read(inputs: dict, tmp_path: Path, method: str) -> None:
    folder = train(inputs, method, tmp_path / "model")
    model = read_model(folder)
    assert read_identity(folder / "model.json") == {"scenario": "tiny", "method": method, "shot": "any", "seed": 0}
    steps = [entry["step"] for entry in read_json(folder / "model.json")["checkpoints"]]
    assert steps == sorted(set(steps))
    assert len(model.steps) == (META.n_checkpoints if parameters_of(method, {}).checkpointed else 1)
    curves = pd.read_parquet(folder / "curves.parquet")
    assert list(curves.columns) == ["step", "phase", "name", "value"]
    assert curves["value"].notna().all()
    assert (len(curves) > 0) == bool(CARDS[method].small)
    assert set(curves["phase"]) <= set(CARDS[method].phases)
    logged = {"relative_variance", "gradient_cosine"} <= set(curves["name"])
    assert logged == CARDS[method].logs_conflict


@pytest.mark.parametrize("method", METHODS)
def test_is_reproducible_and_depends_on_the_seed(inputs: dict, tmp_path: Path, method: str) -> None:
    first, again, other = (train(inputs, method, tmp_path / n, seed) for n, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert digest(first) == digest(again)
    assert (weights(first) != weights(other)) == (bool(CARDS[method].small) or method == "random")


@pytest.mark.device
@pytest.mark.parametrize("method", METHODS)
def test_trains_on_teachers_of_several_domains_architectures_sizes_and_ways(
    mixed: dict, tmp_path: Path, method: str
) -> None:
    read_model(train(mixed, method, tmp_path / "model"))


@pytest.mark.parametrize("method", METHODS)
def test_trains_on_what_it_says_it_needs(inputs: dict, tmp_path: Path, method: str) -> None:
    card = parameters(method)
    sources = {
        "teachers": "teachers" in card.starts_from,
        "recovered": "recovered" in card.starts_from,
        "judgements": "judgements" in card.starts_from,
        "datasets": card.real_images,
    }
    needed = {name: inputs[name] if is_needed else [] for name, is_needed in sources.items()}
    groups = inputs["groups"] if "task_space" in card.starts_from else None
    alone = train({**needed, "groups": groups}, method, tmp_path / "alone")
    assert digest(alone) == digest(train(inputs, method, tmp_path / "all"))


@pytest.mark.parametrize("method", POOLING)
def test_classes_of_teachers_are_the_same_or_their_own(inputs: dict, tmp_path: Path, method: str) -> None:
    shared, local = (train(inputs, method, tmp_path / i, class_identity=i) for i in ("shared", "local"))
    assert digest(shared) != digest(local)


def test_distil_without_its_term_is_bank(inputs: dict, tmp_path: Path) -> None:
    alone, bank = train(inputs, "distil", tmp_path / "a", kd_weight=0), train(inputs, "bank", tmp_path / "b")
    assert digest(alone / "checkpoint-01.safetensors") == digest(bank / "checkpoint-01.safetensors")


def test_a_start_from_the_best_teacher_has_its_normalisation_and_learns(inputs: dict, tmp_path: Path) -> None:
    best = read_json(train(inputs, "best", tmp_path / "best") / "model.json")
    for method in ("bank", "distil", "panel"):
        started = train(inputs, method, tmp_path / method, start="best", lr=1e-9)
        model = read_json(started / "model.json")
        assert (model["mean"], model["std"]) == (best["mean"], best["std"])
        weights, teacher = (
            load_file(f / name)
            for f, name in ((started, "checkpoint-01.safetensors"), (tmp_path / "best", "checkpoint-00.safetensors"))
        )
        convolutions = [key for key in teacher if key.endswith("conv.weight")]
        assert convolutions
        assert all(torch.allclose(weights[key], teacher[key], atol=1e-6) for key in convolutions)


def test_panel_without_its_terms_is_bank(inputs: dict, tmp_path: Path) -> None:
    alone = train(inputs, "panel", tmp_path / "panel", kd_weight=0, cka_weight=0)
    bank = train(inputs, "bank", tmp_path / "bank", start="best")
    assert digest(alone / "checkpoint-01.safetensors") == digest(bank / "checkpoint-01.safetensors")


def test_panel_learns_from_distributions_features_and_outputs(inputs: dict, tmp_path: Path) -> None:
    changes = ({}, {"kd_weight": 0}, {"cka_weight": 0}, {"likeness": "outputs"})
    folders = [train(inputs, "panel", tmp_path / str(index), **change) for index, change in enumerate(changes)]
    assert len({digest(folder) for folder in folders}) == len(folders)


def test_distil_learns_relations(inputs: dict, tmp_path: Path) -> None:
    plain, related = (train(inputs, "distil", tmp_path / str(w), relation_weight=w) for w in (0, 0.3))
    assert weights(plain) != weights(related)


def test_tgr_samples_every_domain_and_architecture(mixed: dict, tmp_path: Path) -> None:
    counts = read_json(train(mixed, "tgr", tmp_path / "model", group_steps=40) / "model.json")["sampled"]
    assert len(counts) == 6
    assert min(counts.values()) >= 5


def test_teachers_take_part_equally_often_in_groups_of_unequal_size() -> None:
    groups = dict(enumerate([0] * 12 + [1] * 4 + [2] * 2))
    sampler = GroupSampler(groups, 4, torch.Generator().manual_seed(0))
    for _ in range(6000):
        sampler.teachers()
    shares = torch.tensor([float(sampler.counts[index]) for index in groups]) / 6000
    assert shares.max() / shares.min() < 1.2


def test_a_teacher_alone_in_its_group_takes_part_with_others() -> None:
    sampler = GroupSampler(dict(enumerate([0, *[1] * 40])), 4, torch.Generator().manual_seed(0))
    drawn = [sampler.teachers() for _ in range(300)]
    assert {len(set(teachers)) for teachers in drawn} == {4}
    assert sampler.counts[0] >= min(sampler.counts[index] for index in range(1, 41))


def test_tgr_as_released_samples_the_first_pool_only(mixed: dict, tmp_path: Path) -> None:
    folder = train(mixed, "tgr", tmp_path / "model", fidelity="release", group_steps=40)
    counts = read_json(folder / "model.json")["sampled"]
    assert {key for key, count in counts.items() if count} == {f"tiny-conv4/teacher-000{i}" for i in range(4)}


@pytest.mark.parametrize("heads", ["aligned", "per_teacher"])
def test_tgr_may_start_from_what_bank_learns(inputs: dict, tmp_path: Path, heads: str) -> None:
    curves = {
        steps: pd.read_parquet(
            train(inputs, "tgr", tmp_path / str(steps), heads=heads, bank_steps=steps) / "curves.parquet"
        )
        for steps in (0, 40)
    }
    started = curves[40][curves[40]["name"] == "loss"]
    assert started.groupby("phase")["step"].agg(["min", "max"]).T.to_dict("list") == {
        "bank": [1, 40],
        "group": [41, 44],
        "replay": [45, 46],
    }
    first_loss = {
        steps: own.query("phase == 'group' and name == 'loss'")["value"].iloc[0] for steps, own in curves.items()
    }
    assert heads != "aligned" or first_loss[40] < first_loss[0]


@pytest.mark.device
@pytest.mark.parametrize("treatment", ["implicit", "none", "pcgrad", "cagrad", "mgda", "aligned_mtl"])
def test_tgr_runs_with_every_treatment_of_conflict(inputs: dict, tmp_path: Path, treatment: str) -> None:
    folders = [train(inputs, "tgr", tmp_path / name, treatment=treatment) for name in ("a", "b")]
    assert digest(folders[0]) == digest(folders[1])


@pytest.mark.device
@pytest.mark.parametrize("learner", list(LEARNERS))
def test_replay_runs_with_every_learner(inputs: dict, tmp_path: Path, learner: str) -> None:
    folder = train(inputs, "replay", tmp_path / "model", meta=META.model_copy(update={"learner": learner}))
    kept = load_file(folder / "checkpoint-01.safetensors")
    assert any(key.startswith("head.") for key in kept) == (learner != "protonet")
    read_model(folder)


@pytest.mark.parametrize("method", [name for name in METHODS if "outer_lr" in CARDS[name].model_fields])
def test_episodic_methods_may_have_learning_rates_of_their_own(inputs: dict, tmp_path: Path, method: str) -> None:
    rates = {"outer_lr": 2e-3, "inner_lr": 3e-2}
    common = train(inputs, method, tmp_path / "common", meta=META.model_copy(update=rates))
    own = train(inputs, method, tmp_path / "own", **rates)
    assert weights(own) == weights(common) != weights(train(inputs, method, tmp_path / "other"))


@pytest.mark.parametrize("heads", ["shared", pytest.param("per_teacher", marks=pytest.mark.device), "aligned"])
@pytest.mark.parametrize("schedule", ["sequential", "interleaved"])
def test_tgr_runs_with_every_schedule_and_kind_of_head(mixed: dict, tmp_path: Path, schedule: str, heads: str) -> None:
    folder = train(mixed, "tgr", tmp_path / "model", schedule=schedule, heads=heads, patience=1)
    assert len(read_model(folder).steps) == META.n_checkpoints


@pytest.mark.parametrize("schedule", ["sequential", "interleaved"])
def test_tgr_as_released_has_one_schedule_and_one_head(inputs: dict, tmp_path: Path, schedule: str) -> None:
    released = train(inputs, "tgr", tmp_path / "a", fidelity="release", schedule=schedule, heads="aligned")
    alone = train(inputs, "tgr", tmp_path / "b", fidelity="release")
    corrected = train(inputs, "tgr", tmp_path / "c", schedule="interleaved", heads="shared", replay_cap=None)
    assert weights(released) == weights(alone) != weights(corrected)


@pytest.mark.parametrize(
    ("schedule", "phases"),
    [("sequential", [["group"], ["group", "replay"]]), ("interleaved", [["group", "replay"]] * 2)],
)
def test_checkpoints_name_the_phases_before_them(
    inputs: dict, tmp_path: Path, schedule: str, phases: list[list[str]]
) -> None:
    folder = train(inputs, "tgr", tmp_path / "model", schedule=schedule)
    assert [entry["phases"] for entry in read_json(folder / "model.json")["checkpoints"]] == phases
    assert read_model(folder).phase(0) == " + ".join(phases[0])


def test_tgr_replays_after_every_group_step_until_it_stalls(inputs: dict, tmp_path: Path) -> None:
    """Updates take turns; a replay ends with `patience` steps without a new best, or at the cap."""
    patience, cap = 2, 5
    chosen = {"schedule": "interleaved", "group_steps": 6, "patience": patience, "replay_cap": cap}
    curves = pd.read_parquet(train(inputs, "tgr", tmp_path / "model", **chosen) / "curves.parquet")
    phases = curves.drop_duplicates("step").set_index("step")["phase"]
    assert phases.index.tolist() == list(range(1, len(phases) + 1))
    starts = phases.index[phases == "group"].tolist()
    assert len(starts) == 6
    accuracy = curves[curves["name"] == "train_accuracy"].set_index("step")["value"]
    for start, end in zip(starts, [*starts[1:], len(phases) + 1], strict=True):
        replayed = [accuracy[step] for step in range(start + 1, end)]
        waits = [len(replayed[: n + 1]) - 1 - replayed.index(max(replayed[: n + 1])) for n in range(len(replayed))]
        assert all(wait < patience for wait in waits[:-1])
        assert waits[-1] == patience or len(replayed) == cap


@pytest.mark.parametrize("schedule", ["sequential", "interleaved"])
def test_tgr_recovers_images_anew(mixed: dict, tmp_path: Path, schedule: str) -> None:
    """Each of the scenario's two shards by an engine of its own."""
    engines = [Inversion(steps=1), Inversion(engine="generator", steps=1, generator_width=8)]
    chosen = {"schedule": schedule, "images_per_teacher": 5, "patience": 1}
    fresh, again = (
        train(mixed | {"inversions": engines}, "tgr", tmp_path / name, fresh_images=True, **chosen) for name in "ab"
    )
    assert weights(fresh) == weights(again) != weights(train(mixed, "tgr", tmp_path / "cached", **chosen))


@pytest.mark.parametrize("schedule", ["interleaved", "sequential"])
def test_tgr_keeps_no_head_that_prototypes_did_not_train(inputs: dict, tmp_path: Path, schedule: str) -> None:
    meta = META.model_copy(update={"learner": "protonet"})
    folder = train(inputs, "tgr", tmp_path / "model", meta=meta, schedule=schedule)
    assert not any(key.startswith("head.") for key in load_file(folder / "checkpoint-01.safetensors"))


def test_tgr_logs_gradient_conflict(inputs: dict, tmp_path: Path) -> None:
    curves = pd.read_parquet(train(inputs, "tgr", tmp_path / "model") / "curves.parquet")
    group = curves[curves["phase"] == "group"]
    assert set(group["name"]) >= {"loss", "gradient_variance", "gradient_cosine"}
    assert (group.loc[group["name"] == "gradient_variance", "value"] > 0).all()
    assert group.loc[group["name"] == "gradient_cosine", "value"].between(-1, 1).all()


def test_no_data_free_method_reads_real_images(inputs: dict, tmp_path: Path) -> None:
    """All but the references on real images must train without them."""
    for method in METHODS:
        without = {**inputs, "datasets": []}
        if CARDS[method].real_images:
            with pytest.raises(TgrError, match="no real dataset was given"):
                train(without, method, tmp_path / method)
        else:
            train(without, method, tmp_path / method)


def test_ceilings_keep_the_model_that_meta_val_scores_best(inputs: dict, tmp_path: Path) -> None:
    for method in ("realdata", "realproto"):
        folder = train(inputs, method, tmp_path / method, steps=2, rounds=4)
        curves = pd.read_parquet(folder / "curves.parquet")
        accuracies = curves[curves["name"] == "meta_val_accuracy"].set_index("step")["value"]
        assert list(accuracies.index) == [2, 4, 6, 8][: len(accuracies)] and accuracies.between(0, 1).all()
        [checkpoint] = read_json(folder / "model.json")["checkpoints"]
        assert checkpoint["step"] == accuracies.idxmax()


def test_first_round_of_the_ceiling_is_what_equal_steps_reach(inputs: dict, tmp_path: Path) -> None:
    out = train(inputs, "realdata", tmp_path / "out", steps=4, rounds=1)
    equal = train(inputs, "realbank", tmp_path / "equal", steps=4)
    assert digest(out / "checkpoint-00.safetensors") == digest(equal / "checkpoint-01.safetensors")


def test_divergence_is_explained(inputs: dict, tmp_path: Path) -> None:
    with pytest.raises(TgrError, match="not finite"):
        train(inputs, "bank", tmp_path / "model", lr=1e30)
