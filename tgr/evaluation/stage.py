"""The stage `evaluate`: choose checkpoints by every selection rule, and score the chosen ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import torch

from tgr.artifacts import write_json
from tgr.config.learning import Evaluation
from tgr.evaluation.ensemble import EnsembleScorer
from tgr.evaluation.model import ENSEMBLE, read_model
from tgr.evaluation.scoring import Scorer
from tgr.evaluation.selection import choose_checkpoints, score_checkpoints
from tgr.evaluation.tasks import TaskSet, datafree_tasks, real_tasks
from tgr.inversion.recovered import load_recovered


@dataclass(frozen=True)
class Identity:
    """The names under which an evaluation's rows are stored."""

    scenario: str
    method: str
    shot: int
    seed: int


def evaluate(
    *,
    scenario: str,
    method: str,
    shot: int,
    seed: int,
    evaluate_on: Sequence[str],
    evaluation: Evaluation,
    held_out_per_class: int,
    model: Path,
    datasets: Sequence[Path],
    episodes: Sequence[Path],
    recovered: Sequence[Path],
    teachers: Sequence[Path],
    folder: Path,
    device: torch.device,
) -> None:
    """Evaluate one trained model; write ``episodes.parquet`` and ``selection.json`` into a folder.

    Args:
        method: its name among the methods and variants.
        evaluate_on: the names of the datasets.
        evaluation: its ``protocols`` are those that make sense for the method.
        held_out_per_class: recovered images of each class that no training saw.
        model: the folder of the trained model.
        datasets, episodes: files of the datasets, and of their frozen episodes for this shot.
        recovered, teachers: folders of the shards of the scenario's pools, for the selection rule ``datafree``; read
            only if the model has more than one checkpoint. An ensemble finds its members among the teachers.

    Raises:
        TgrError: an input is missing, damaged, or does not fit the configuration.
    """
    trained = read_model(model)
    size, is_ensemble = trained.card.image_size, trained.card.architecture == ENSEMBLE
    real = {
        name: real_tasks(dataset, frozen, evaluation, shot, None if is_ensemble else size)
        for name, dataset, frozen in zip(evaluate_on, datasets, episodes, strict=True)
    }
    title = f"{scenario} {method} {shot}-shot seed {seed}"
    if is_ensemble:
        scorer: Scorer = EnsembleScorer(trained, evaluation, device, title, teachers)
    else:
        scorer = Scorer(trained, evaluation, device, title)
    candidates: dict[str, list[TaskSet]] = {
        "meta_val": [sets["meta_val"] for sets in real.values()],
        "oracle": [sets[evaluation.split] for sets in real.values()],
    }
    several = len(trained.steps) > 1
    if several and "datafree" in evaluation.selections:
        images = load_recovered(recovered, teachers)
        candidates["datafree"] = [datafree_tasks(images, scenario, evaluation, held_out_per_class, shot, size)]
    rules = [rule for rule in evaluation.selections if rule != "last"] if several else []
    scores = score_checkpoints(scorer, {rule: candidates[rule] for rule in rules})
    chosen = choose_checkpoints(scores, evaluation.selections, len(trained.steps) - 1)
    identity = Identity(scenario, method, shot, seed)
    frame, tuned = _evaluate_chosen(identity, scorer, chosen, real)
    folder.mkdir(parents=True)
    frame.to_parquet(folder / "episodes.parquet", index=False)
    phases = {rule: trained.phase(checkpoint) for rule, checkpoint in chosen.items()}
    about = {"scores": scores, "chosen": chosen, "phases": phases, "tuned": tuned}
    write_json(folder / "selection.json", asdict(identity) | about)


def _evaluate_chosen(
    identity: Identity,
    scorer: Scorer,
    chosen: Mapping[str, int],
    real: Mapping[str, dict[str, TaskSet]],
) -> tuple[pd.DataFrame, dict[str, dict[str, float | int]]]:
    """Score each distinct chosen checkpoint once under every protocol, and repeat its rows for each rule.

    Fine-tuning is slow: checkpoints that only other rules than the headline choose may be spared protocols.
    """
    frames, tuned = [], {}
    evaluation = scorer.evaluation
    for rule, checkpoint in chosen.items():
        headline = rule == evaluation.headline
        protocols = [name for name in evaluation.protocols if headline or name in evaluation.selection_protocols]
        if "finetune_tuned" in protocols:
            inner_lr, inner_steps = scorer.tune(checkpoint, [sets["meta_val"] for sets in real.values()])
            tuned[rule] = {"inner_lr": inner_lr, "inner_steps": inner_steps}
        for protocol in protocols:
            for dataset, sets in real.items():
                accuracies = scorer.score(checkpoint, protocol, sets[evaluation.split])
                rows = _rows(identity, dataset, protocol, rule, checkpoint, accuracies, evaluation)
                frames.append(rows.assign(phase=scorer.trained.phase(checkpoint)))
    return pd.concat(frames, ignore_index=True), tuned


def _rows(
    identity: Identity,
    dataset: str,
    protocol: str,
    rule: str,
    checkpoint: int,
    accuracies: Sequence[float],
    evaluation: Evaluation,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "scenario": identity.scenario,
            "dataset": dataset,
            "method": identity.method,
            "shot": identity.shot,
            "seed": identity.seed,
            "protocol": protocol,
            "selection": rule,
            "checkpoint": checkpoint,
            "episode": range(len(accuracies)),
            "accuracy": accuracies,
            "bn_mode": evaluation.bn_mode_of(protocol),
            "split": evaluation.split,
        }
    )
