"""Reading models, data-free episodes, selection rules, and the stage `evaluate`."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from synthetic_results import EVALUATION, META, SCENARIO, SIZE, make_dataset, write_dataset, write_model, write_shard

from tests.device import DEVICE
from tgr.artifacts import digest, load_tensors, read_json, save_tensors, write_json
from tgr.config.experiments import Scenario
from tgr.config.learning import Evaluation, Meta
from tgr.data.episodes import load_episodes, save_episodes
from tgr.errors import TgrError
from tgr.evaluation.identity import IDENTITY
from tgr.evaluation.model import read_model
from tgr.evaluation.scoring import Scorer
from tgr.evaluation.selection import choose_checkpoints
from tgr.evaluation.stage import evaluate
from tgr.evaluation.tasks import datafree_tasks, real_tasks
from tgr.inversion.holdout import holdout_mask
from tgr.inversion.recovered import load_recovered


def run(root: Path, model: Path, method: str = "replay", **changed: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Evaluate a model 1-shot on synthetic inputs; ``changed`` names the sections to replace."""
    evaluation: Evaluation = changed.get("evaluation", EVALUATION)
    scenario: Scenario = changed.get("scenario", SCENARIO)
    meta: Meta = changed.get("meta", META)
    folder = root / "out"
    files = {name: write_dataset(root, name, 1) for name in scenario.evaluate_on}
    teachers, recovered = write_shard(root, "toys-conv4", make_dataset("toys"))
    evaluate(
        scenario="toys",
        method=method,
        shot=1,
        seed=0,
        evaluate_on=scenario.evaluate_on,
        evaluation=evaluation,
        held_out_per_class=meta.held_out_per_class,
        model=model,
        datasets=[pair[0] for pair in files.values()],
        episodes=[pair[1] for pair in files.values()],
        recovered=[recovered],
        teachers=[teachers],
        folder=folder,
        device=DEVICE,
    )
    return pd.read_parquet(folder / "episodes.parquet"), read_json(folder / "selection.json")


@pytest.mark.device
def test_evaluate_writes_one_row_for_each_protocol_rule_and_episode(tmp_path: Path) -> None:
    frame, selection = run(tmp_path, write_model(tmp_path / "model", 2))
    assert len(frame) == 3 * 4 * EVALUATION.n_episodes
    assert not frame.duplicated(["protocol", "selection", "dataset", "episode"]).any()
    assert frame["accuracy"].between(0, 1).all()
    assert set(frame["bn_mode"]) == {"batch"}
    assert selection["chosen"]["last"] == 1
    assert [selection[key] for key in IDENTITY] == ["toys", "replay", 1, 0]
    assert {(row["checkpoint"], row["rule"]) for row in selection["scores"]} == {
        (checkpoint, rule) for checkpoint in (0, 1) for rule in ("datafree", "meta_val", "oracle")
    }
    assert {row["step"] for row in selection["scores"]} == {10, 20}
    for rule, checkpoint in selection["chosen"].items():
        phase = ("group", "group + replay")[checkpoint]
        assert selection["phases"][rule] == phase
        assert set(frame.loc[frame["selection"] == rule, "phase"]) == {phase}
        assert set(frame.loc[frame["selection"] == rule, "checkpoint"]) == {checkpoint}
        assert selection["tuned"][rule]["inner_lr"] in EVALUATION.tune.inner_lr
        assert selection["tuned"][rule]["inner_steps"] in EVALUATION.tune.inner_steps


def test_while_parameters_are_chosen_no_test_episode_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file holds episodes of meta-val alone: whoever asks for others fails."""
    write = write_dataset

    def write_val_alone(root: Path, name: str, shot: int) -> tuple[Path, Path]:
        dataset, episodes = write(root, name, shot)
        save_episodes(episodes, {"meta_val": load_episodes(episodes)["meta_val"]})
        return dataset, episodes

    monkeypatch.setitem(globals(), "write_dataset", write_val_alone)
    rules = {
        "split": "meta_val",
        "selections": ["last", "datafree"],
        "headline": "last",
        "protocols": ["finetune", "ncm"],
    }
    evaluation = EVALUATION.model_copy(update=rules)
    frame, selection = run(tmp_path, write_model(tmp_path / "model", 2), evaluation=evaluation)
    assert set(frame["split"]) == {"meta_val"}
    assert frame["episode"].max() == EVALUATION.n_val_episodes - 1
    assert {row["rule"] for row in selection["scores"]} == {"datafree"}


def test_oracle_scores_are_its_own_meta_test_means(tmp_path: Path) -> None:
    frame, selection = run(tmp_path, write_model(tmp_path / "model", 2))
    chosen = selection["chosen"]["oracle"]
    score = next(r["accuracy"] for r in selection["scores"] if (r["rule"], r["checkpoint"]) == ("oracle", chosen))
    reported = frame[(frame["selection"] == "oracle") & (frame["protocol"] == "ncm")]["accuracy"].mean()
    assert reported == pytest.approx(score, abs=1e-6)
    assert score == max(r["accuracy"] for r in selection["scores"] if r["rule"] == "oracle")


def test_oracle_alone_sees_meta_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the oracle, meta-test episodes are scored for the chosen checkpoints only."""
    scored = []
    original = Scorer._run

    def spy(self: Scorer, checkpoint: int, protocol: str, tasks: Any, *rest: Any) -> list[float]:
        scored.append((checkpoint, protocol, len(tasks)))
        return original(self, checkpoint, protocol, tasks, *rest)

    monkeypatch.setattr(Scorer, "_run", spy)
    evaluation = EVALUATION.model_copy(update={"selections": ["last", "meta_val"]})
    _, selection = run(tmp_path, write_model(tmp_path / "model", 3), evaluation=evaluation)
    assert "oracle" not in selection["chosen"]
    on_test = {checkpoint for checkpoint, _, count in scored if count == evaluation.n_episodes}
    assert on_test == set(selection["chosen"].values())
    assert len(scored) == len(set(scored)), "something was computed twice"


def test_one_checkpoint_needs_no_scores_and_no_recovered_images(tmp_path: Path) -> None:
    meta = META.model_copy(update={"held_out_per_class": 99})  # would raise if looked at
    frame, selection = run(tmp_path, write_model(tmp_path / "model", 1), meta=meta)
    assert selection["scores"] == []
    assert set(selection["chosen"].values()) == {0}
    means = frame.groupby(["protocol", "selection"])["accuracy"].mean().unstack()
    assert means.nunique(axis=1).eq(1).all()


def test_pixels_are_classified_by_nearest_class_mean(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", 1, architecture="pixels")
    evaluation = EVALUATION.model_copy(update={"protocols": ["ncm"]})
    frame, selection = run(tmp_path, model, method="pixels", evaluation=evaluation)
    assert set(frame["protocol"]) == {"ncm"}
    assert selection["tuned"] == {}
    assert frame["accuracy"].mean() > 0.4, "classes that differ in colour are told apart by their pixels"


def test_inductive_is_nearest_class_mean_with_the_stored_statistics(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", 1)
    both = EVALUATION.model_copy(update={"protocols": ["ncm", "ncm_inductive"]})
    stored = EVALUATION.model_copy(update={"protocols": ["ncm"], "bn_mode": "running"})
    scores = {}
    for name, evaluation in (("both", both), ("stored", stored)):
        (tmp_path / name).mkdir()
        frame, _ = run(tmp_path / name, model, evaluation=evaluation)
        frame = frame[frame["selection"] == evaluation.headline]
        scores |= {(name, protocol): rows["accuracy"].tolist() for protocol, rows in frame.groupby("protocol")}
    assert scores["both", "ncm_inductive"] == scores["stored", "ncm"] != scores["both", "ncm"]


def test_rules_that_are_not_the_headline_may_be_spared_fine_tuning(tmp_path: Path) -> None:
    evaluation = EVALUATION.model_copy(update={"selection_protocols": ["ncm"]})
    frame, selection = run(tmp_path, write_model(tmp_path / "model", 3), evaluation=evaluation)
    slow = frame[frame["protocol"] != "ncm"]
    assert set(slow["selection"]) == {"datafree"} and set(slow["protocol"]) == {"finetune", "finetune_tuned"}
    assert set(frame.loc[frame["protocol"] == "ncm", "selection"]) == set(EVALUATION.selections)
    assert list(selection["tuned"]) == ["datafree"]


def test_several_datasets_are_kept_apart_and_averaged(tmp_path: Path) -> None:
    scenario = SCENARIO.model_copy(update={"evaluate_on": ["toys", "tools"]})
    evaluation = EVALUATION.model_copy(update={"protocols": ["ncm"]})
    frame, selection = run(tmp_path, write_model(tmp_path / "model", 2), scenario=scenario, evaluation=evaluation)
    assert frame.groupby("dataset").size().to_dict() == {"toys": 20, "tools": 20}
    chosen = selection["chosen"]["oracle"]
    score = next(r["accuracy"] for r in selection["scores"] if (r["rule"], r["checkpoint"]) == ("oracle", chosen))
    means = frame[(frame["selection"] == "oracle") & (frame["protocol"] == "ncm")].groupby("dataset")["accuracy"].mean()
    assert score == pytest.approx(means.mean(), abs=1e-6)


def test_equal_runs_write_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        run(tmp_path / name, write_model(tmp_path / name / "model", 2))
    assert digest(tmp_path / "a" / "out") == digest(tmp_path / "b" / "out")


def test_tuning_prefers_the_cheaper_of_equal_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = real_tasks(*write_dataset(tmp_path, "toys", 1), EVALUATION, 1, SIZE)["meta_val"]
    scorer = Scorer(read_model(write_model(tmp_path / "model")), EVALUATION, DEVICE, "test")
    table = {0.01: [0.5, 0.6], 0.1: [0.4, 0.6]}
    monkeypatch.setattr(Scorer, "_trajectories", lambda self, checkpoint, part, lr, steps: table[lr])
    assert scorer.tune(0, [tasks]) == (0.01, 2)
    monkeypatch.setattr(Scorer, "_trajectories", lambda self, checkpoint, part, lr, steps: [0.5, 0.5])
    assert scorer.tune(1, [tasks]) == (0.01, 1)


def test_trajectories_read_off_equal_separate_runs(tmp_path: Path) -> None:
    tasks = real_tasks(*write_dataset(tmp_path, "toys", 1), EVALUATION, 1, SIZE)["meta_val"]
    scorer = Scorer(read_model(write_model(tmp_path / "model")), EVALUATION, DEVICE, "test")
    together = scorer._trajectories(0, tasks, 0.1, [1, 2])
    apart = [scorer._trajectories(0, tasks, 0.1, [steps])[0] for steps in (1, 2)]
    assert together.tolist() == apart


def test_each_rule_chooses_its_best_checkpoint() -> None:
    scores = [{"checkpoint": c, "rule": "meta_val", "accuracy": a} for c, a in enumerate([0.3, 0.5, 0.5, 0.2])]
    assert choose_checkpoints(scores, ["last", "meta_val", "datafree"], 3) == {"last": 3, "meta_val": 2, "datafree": 3}


def test_a_checkpoint_without_head_starts_from_zeros(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model", head=False)).load(1, 7)
    assert model.head.out_features == 7
    assert not model.head.weight.any()
    assert not model.head.bias.any()
    stored, _ = load_tensors(tmp_path / "model" / "checkpoint-01.safetensors")
    assert torch.equal(model.trunk[0].conv.weight, stored["trunk.0.conv.weight"])
    assert model.trunk[0].conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_checkpoint_with_head_keeps_it(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path / "model")).load(0, 3)
    stored, _ = load_tensors(tmp_path / "model" / "checkpoint-00.safetensors")
    assert torch.equal(model.head.weight, stored["head.weight"])


def _drop_file(folder: Path) -> None:
    (folder / "checkpoint-01.safetensors").unlink()


def _truncate(folder: Path) -> None:
    (folder / "checkpoint-01.safetensors").write_bytes(b"short")


def _drop_key(folder: Path) -> None:
    card = read_json(folder / "model.json")
    del card["mean"]
    write_json(folder / "model.json", card)


def _no_checkpoints(folder: Path) -> None:
    write_json(folder / "model.json", read_json(folder / "model.json") | {"checkpoints": []})


def _other_width(folder: Path) -> None:
    write_json(folder / "model.json", read_json(folder / "model.json") | {"width": 8})


def _not_finite(folder: Path) -> None:
    tensors, _ = load_tensors(folder / "checkpoint-01.safetensors")
    tensors["trunk.0.conv.weight"][0] = float("nan")
    save_tensors(folder / "checkpoint-01.safetensors", tensors)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop_file, "checkpoint-01.safetensors: the checkpoint is missing"),
        (_truncate, "checkpoint-01.safetensors: damaged"),
        (_drop_key, "model.json: mean: Field required"),
        (_no_checkpoints, "model.json: names no checkpoints"),
        (_other_width, "checkpoint-01.safetensors: the(.|\n)*shape|do not fit"),
        (_not_finite, "not finite"),
    ],
)
def test_a_damaged_model_is_refused(tmp_path: Path, damage: Any, message: str) -> None:
    folder = write_model(tmp_path / "model")
    damage(folder)
    with pytest.raises(TgrError, match=message):
        read_model(folder).load(1, 3)


def test_a_head_of_another_n_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TgrError, match="5-way evaluation wants"):
        read_model(write_model(tmp_path / "model")).load(0, 5)


def test_holdout_takes_the_last_of_each_class() -> None:
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 0])
    assert holdout_mask(labels, 2).tolist() == [False, False, False, True, True, True, True]
    with pytest.raises(TgrError, match="held_out_per_class"):
        holdout_mask(labels, 3)


def test_datafree_supports_are_training_images_and_queries_held_out_ones(tmp_path: Path) -> None:
    dataset = make_dataset("toys")
    teachers, recovered = write_shard(tmp_path, "toys-conv4", dataset)
    loaded = load_recovered([recovered], [teachers])
    tasks = datafree_tasks(loaded, "toys", EVALUATION, 2, 2, SIZE)
    # teacher 0 knows class_0..2 and teacher 1 class_1..3: global classes of all stored images, in stored order
    names = [r.card.classes[int(label)] for r in loaded for label in r.labels]
    held_out = torch.cat([holdout_mask(r.labels, 2) for r in loaded])
    assert len(tasks) == EVALUATION.n_val_episodes
    assert tasks.episodes.query.shape[2] == 2, "no more queries than the smallest class holds out"
    assert not held_out[tasks.episodes.support.flatten()].any()
    assert held_out[tasks.episodes.query.flatten()].all()
    owners = set()
    for support, query in zip(tasks.episodes.support, tasks.episodes.query, strict=True):
        classes = [{names[i] for i in torch.cat([s, q]).tolist()} for s, q in zip(support, query, strict=True)]
        assert all(len(c) == 1 for c in classes)
        assert len(set.union(*classes)) == EVALUATION.n_way
        owners |= {names[i] for i in support.flatten().tolist() if i >= len(loaded[0].labels)}
    assert owners & {"class_1", "class_2"}, "the images of a shared class are pooled"
    assert torch.equal(tasks.images[: len(loaded[0].images)], loaded[0].images)
    again = datafree_tasks(loaded, "toys", EVALUATION, 2, 2, SIZE)
    assert torch.equal(again.episodes.support, tasks.episodes.support)


def test_datafree_episodes_are_resized_to_the_scenario(tmp_path: Path) -> None:
    teachers, recovered = write_shard(tmp_path, "toys-conv4", make_dataset("toys", 32))
    assert datafree_tasks(load_recovered([recovered], [teachers]), "toys", EVALUATION, 2, 1, 16).images.shape[-1] == 16


def test_datafree_needs_enough_classes(tmp_path: Path) -> None:
    teachers, recovered = write_shard(tmp_path, "toys-conv4", make_dataset("toys"), n_teachers=1)
    evaluation = EVALUATION.model_copy(update={"n_way": 4})
    with pytest.raises(TgrError, match="needs 4 recovered classes, but there are 3"):
        datafree_tasks(load_recovered([recovered], [teachers]), "toys", evaluation, 2, 1, SIZE)


def test_real_tasks_show_the_images_of_the_episodes(tmp_path: Path) -> None:
    dataset_file, episode_file = write_dataset(tmp_path, "toys", 1)
    dataset = make_dataset("toys")
    tasks = real_tasks(dataset_file, episode_file, EVALUATION, 1, SIZE)["meta_test"]
    card = read_model(write_model(tmp_path / "model")).card
    stored, _ = load_tensors(episode_file)
    first = next(iter(tasks.tasks(card, DEVICE)))
    expected = dataset.images[stored["meta_test.query"][0]].float() / 255
    torch.testing.assert_close(first.query, (expected - 0.5) / 0.25)


def test_episodes_of_another_shot_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TgrError, match="no 3-way 2-shot episodes of meta_val"):
        real_tasks(*write_dataset(tmp_path, "toys", 1), EVALUATION, 2, SIZE)
