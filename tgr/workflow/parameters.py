"""The parameters of the rules: to each stage only what it uses, so that nothing else makes it run again."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tgr.config.base import Section
from tgr.config.experiments import Pairs
from tgr.config.methods.base import MethodParameters
from tgr.config.methods.panel import PanelChoice
from tgr.config.methods.registry import bibliography
from tgr.config.replicates import original
from tgr.config.schema import Config
from tgr.config.teachers import Dataset, Pool
from tgr.config.variants import Variant
from tgr.workflow.jobs import Jobs
from tgr.workflow.targets import ending_in


def parameters(jobs: Jobs) -> dict[str, Any]:
    """Return all parameters as plain values: by kind, then by the wildcards of the rules."""
    settings = jobs.settings
    methods, variants = jobs.main.items(), jobs.variants.items()
    return {
        "dataset": {name: dump(dataset, exclude={"n_episodes"}) for name, dataset in settings.datasets.items()},
        "episodes": {name: _episodes(settings, dataset) for name, dataset in settings.datasets.items()},
        "pool": {name: _teachers(pool) for name, pool in settings.pools.items()},
        "pretrain": {name: dump(settings.pretrain_of(name)) for name in settings.pools},
        "inversion": {name: dump(settings.inversion_of(name)) for name in settings.pools},
        "probe": {name: _probe(settings, [name]) for name in settings.pools},
        "task_space": dump(settings.task_space),
        "model": {
            name: dump(scenario, include={"architecture", "width", "options", "image_size"})
            for name, scenario in settings.scenarios.items()
        },
        "evaluate_on": {name: list(scenario.evaluate_on) for name, scenario in settings.scenarios.items()},
        "variant": {
            scenario: {name: {variant.method: dump(variant.parameters)} for name, variant in members.items()}
            for scenario, members in variants
        },
        "inversions": {
            scenario: {name: _inversions(jobs, scenario, variant.parameters) for name, variant in members.items()}
            for scenario, members in variants
        },
        "method_probe": {
            scenario: {
                name: _probe(settings, settings.scenarios[scenario].pools if variant.parameters.inverts else [])
                for name, variant in members.items()
            }
            for scenario, members in variants
        },
        "panel": {
            scenario: {name: dump(choice, include={*PanelChoice.model_fields}) for name, choice in panels.items()}
            for scenario, panels in ((scenario, jobs.panels(scenario)) for scenario in settings.scenarios)
        },
        "meta": dump(settings.meta),
        "held_out_per_class": settings.meta.held_out_per_class,
        "evaluation": {
            scenario: {name: _evaluation(settings, variant.parameters) for name, variant in members.items()}
            for scenario, members in variants
        },
        "methods": {
            scenario: {name: variant.parameters.label for name, variant in members.items()}
            for scenario, members in methods
        },
        "heads": {scenario: _heads(members) for scenario, members in methods},
        "networks": {scenario: _networks(settings, scenario, members) for scenario, members in methods},
        "published": {scenario: _published(settings, scenario, members) for scenario, members in methods},
        "looks": {
            scenario: {name: variant.parameters.look() for name, variant in members.items()}
            for scenario, members in methods
        },
        "needs": {
            scenario: {name: list(variant.parameters.starts_from) for name, variant in members.items()}
            for scenario, members in methods
        },
        "ablation": {name: _ablation(jobs, name) for name in settings.ablations},
        "captions": {name: ablation.caption for name, ablation in settings.ablations.items()},
        "pairs": {name: _pairs(settings, pairs) for name, pairs in settings.pairs.items()},
        "sweep": {name: _sweep(settings, name) for name in settings.sweeps},
        "budget": {name: _budget(settings, name) for name in settings.budgets},
        "contrasts": {name: _contrasts(settings, name) for name in settings.contrasts},
        "n_students": settings.evaluation.n_students,
        "headline": settings.evaluation.headline,
        "replicates": settings.replicates,
        "figures": dump(settings.figures),
        "device": settings.device,
        "precision": settings.precision if settings.device.startswith("cuda") else "ieee",
        "launches": settings.launches if settings.device.startswith("cuda") else "eager",
        "processor": settings.processor,
    }


def _heads(members: Mapping[str, Variant]) -> dict[str, list[str]]:
    """Return the labels of the methods whose output rows can be chosen, by the choice."""
    heads: dict[str, list[str]] = {}
    for variant in members.values():
        if (chosen := getattr(variant.parameters, "heads", None)) is not None:
            heads.setdefault(chosen, []).append(variant.parameters.label)
    return heads


def _networks(settings: Config, scenario: str, members: Mapping[str, Variant]) -> dict[str, int]:
    """Return how many networks an image passes at use, by the label of each method that is no single one."""
    cards = [variant.parameters for variant in members.values()]
    n_teachers = settings.n_teachers(scenario)
    return {card.label: card.networks(n_teachers) for card in cards if card.asks_teachers}


def _published(settings: Config, scenario: str, members: Mapping[str, Variant]) -> list[str]:
    """Return the published accuracies of the methods on the scenario's dataset; none for several datasets."""
    sources = {settings.datasets[name].source for name in settings.scenarios[scenario].evaluate_on}
    cards = [variant.parameters for variant in members.values()]
    return [
        f"{card.label} {card.published[source]} ({card.citation})"
        for source in sources
        for card in cards
        if len(sources) == 1 and source in card.published
    ]


def entry(tree: Mapping[str, Any], path: str) -> Callable[[Mapping[str, str]], Any]:
    """Return a function of a job's wildcards: the entry at a path, which may contain wildcards, e.g. ``pool/{pool}``.

    Snakemake's `lookup` does the same, but visits all entries for every job.
    """
    parts = path.split("/")

    def of(wildcards: Mapping[str, str]) -> Any:
        value: Any = tree
        for part in parts:
            value = value[part.format(**wildcards)]
        return value

    return of


def dump(section: Section, **options: Any) -> dict[str, Any]:
    """Return a section of the configuration as plain values."""
    return section.model_dump(mode="json", **options)


def figure_captions(targets: Iterable[str], captions: Mapping[str, str]) -> dict[str, list[Any]]:
    """Return for each PDF among some files its caption's file and the wildcards of its rule.

    Args:
        captions: the names of captions by the path, with wildcards, of the PNG beside the PDF.
    """
    patterns = {
        re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))): caption
        for path, caption in captions.items()
    }
    captioned: dict[str, list[Any]] = {}
    for file in ending_in(targets, ".pdf"):
        shown = file.removesuffix(".pdf") + ".png"
        for pattern, caption in patterns.items():
            if match := pattern.fullmatch(shown):
                captioned[file] = [f"{caption}.rst", match.groupdict()]
    return captioned


def paper(jobs: Jobs, targets: Iterable[str], captions: Mapping[str, str], configs: Iterable[str]) -> dict[str, Any]:
    """Return what the kit for a paper says of the run: captions, labels of methods, the configuration, the command."""
    return {"captions": figure_captions(targets, captions), "bibliography": bibliography()} | _run(jobs, configs)


def shared(jobs: Jobs, configs: Iterable[str]) -> dict[str, Any]:
    """Return what the cards of shared models say of the run: licence, labels of methods, configuration, command."""
    return {"licence": jobs.settings.share.licence} | _run(jobs, configs)


def _run(jobs: Jobs, configs: Iterable[str]) -> dict[str, Any]:
    members = [variant for scenario in jobs.main.values() for variant in scenario.items()]
    return {
        "methods": {name: variant.parameters.label for name, variant in members},
        "settings": _as_written(jobs.settings),
        "command": f"snakemake --cores all --configfile {' '.join(configs)}",
    }


def _as_written(settings: Config) -> dict[str, Any]:
    """Return the configuration without the names under which further replicates are kept."""
    sections = dump(settings)
    for kind in ("pools", "scenarios"):
        sections[kind] = {name: section for name, section in sections[kind].items() if name == original(name)}
    return sections


def _episodes(settings: Config, dataset: Dataset) -> dict[str, Any]:
    """Return what the episodes of a dataset are drawn by."""
    shape = dump(settings.evaluation, include={"n_way", "n_query", "n_episodes", "n_val_episodes"})
    return shape | ({"n_episodes": dataset.n_episodes} if dataset.n_episodes else {})


def _teachers(pool: Pool) -> dict[str, Any]:
    """Return what kind of teachers a pool has."""
    return dump(pool, include={"dataset", "architecture", "width", "options", "n_way"})


def _inversions(jobs: Jobs, scenario: str, method: MethodParameters) -> list[dict[str, Any]]:
    """Return the inversion of each shard of a scenario's teachers, for a method that recovers images as it trains."""
    shards = jobs.shards(jobs.settings.scenarios[scenario].pools) if method.inverts else []
    return [dump(jobs.settings.inversion_of(shard.pool)) for shard in shards]


def _probe(settings: Config, pools: Iterable[str]) -> dict[str, Any] | None:
    """Return the section about the probe network, if the inversion of one of some pools uses it."""
    used = any(settings.inversion_of(pool).probe_weight for pool in pools)
    return dump(settings.task_space) if used else None


def _evaluation(settings: Config, method: MethodParameters) -> dict[str, Any]:
    """Return the section `evaluation` as far as it concerns one method."""
    section = dump(settings.evaluation, exclude={"shots", "seeds", "n_students"})
    return section | {"protocols": [name for name in section["protocols"] if name in method.protocols]}


def _ablation(jobs: Jobs, name: str) -> dict[str, Any]:
    variants = {
        variant: {"method": about.parameters.label, "changes": dict(about.changes)}
        for variant, about in jobs.ablations[name].items()
    }
    return {"caption": jobs.settings.ablations[name].caption, "variants": variants}


def _pairs(settings: Config, pairs: Pairs) -> dict[str, Any]:
    """Return how the two teachers of an experiment are made, what is trained on their images, and how it is judged."""
    pools = [pairs.pool, *pairs.others]
    kinds = {
        name: {
            "pool": _teachers(settings.pools[name]),
            "pretrain": dump(settings.pretrain_of(name)),
            "inversion": dump(settings.inversion_of(name)),
        }
        for name in pools
    }
    return {
        "base": pairs.pool,
        "kinds": kinds,
        "steps": pairs.steps,
        "model": dump(settings.pools[pairs.pool], include={"architecture", "width", "options"}),
        "meta": dump(settings.meta),
        "evaluation": dump(settings.evaluation, include={"n_way", "bn_mode"}),
        "shot": max(settings.evaluation.shots),
        "probe": _probe(settings, pools),
    }


def _sweep(settings: Config, name: str) -> dict[str, Any]:
    sweep, methods = settings.sweeps[name], settings.methods.active()
    return {
        "label": sweep.label,
        "scenarios": {scenario: value for value, scenario in sweep.scenarios.items()},
        "methods": {method: methods[method].label for method in settings.swept_methods(name)},
        "looks": {method: methods[method].look() for method in settings.swept_methods(name)},
    }


def _contrasts(settings: Config, name: str) -> dict[str, Any]:
    """Return the trainings of the cells, by their names, and what is claimed of them."""
    section = settings.contrasts[name]
    return {
        "cells": {title: variant for title, (variant, _) in settings.contrast_cells(name).items()},
        "claims": section.claims,
        "margin": section.margin,
    }


def _budget(settings: Config, name: str) -> dict[str, Any]:
    """Return the trainings of each line, the images of their steps by shot and phase, and how the lines look.

    The first line of a method has the colour of its card, another one the next that is free.
    """
    lines = settings.budget_lines(name)
    methods = {title: next(iter(line.values())).method for title, line in lines.items()}
    first = {method: title for title, method in reversed(methods.items())}
    return {
        "lines": {title: list(line) for title, line in lines.items()},
        "passes": {variant: _passes(settings, about) for line in lines.values() for variant, about in line.items()},
        "looks": {
            title: settings.methods.active()[method].look()
            | {"label": title}
            | ({} if first[method] == title else {"colour": None, "marker": None})
            for title, method in methods.items()
        },
    }


def _passes(settings: Config, variant: Variant) -> dict[str, dict[str, int]]:
    """Return the images of one step by the training's shot, which may be ``any``, and by phase."""
    meta = variant.parameters.own_meta(settings.meta)
    passes = {}
    for shot in settings.evaluation.shots:
        trained = settings.training_shot(variant, shot)
        k_shot = shot if meta.k_shot == "evaluated" else meta.k_shot
        passes[trained] = variant.parameters.passes_of_a_step(meta, k_shot)
    return passes
