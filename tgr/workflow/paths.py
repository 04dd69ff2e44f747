"""The grammar of paths, below the working directory: ``results/<stage>/{dataset|pool|scenario}/...``.

A pool is handled in shards of teachers, each a folder. ``{method}`` is a method, or a variant of one that an ablation
asks for, e.g. ``tgr.treatment-none``. ``{shot}`` is the number of support images a class, or ``any`` for a training
that serves every shot. ``{grouping}`` names an embedding, a kind of grouping (perhaps at a level) and a number of
groups, e.g. ``fisher-heterogeneous-5`` or ``fisher-balanced@0.5-5``. ``{panel}`` names what is kept of a panel of
teachers, how they are drawn and how many they are, e.g. ``features-random-20``.
"""

import re
from collections.abc import Iterable
from typing import get_args

from tgr.config.methods.base import Embedding
from tgr.config.schema import Config

DATASET = "results/datasets/{dataset}.safetensors"
EPISODES = "results/episodes/{dataset}/shot-{shot}.safetensors"
TEACHERS = "results/teachers/{pool}/shard-{shard}"
RECOVERED = "results/recovered/{pool}/shard-{shard}"
JUDGEMENTS = "results/judgements/{scenario}/{panel}/{pool}/shard-{shard}"
EMBEDDINGS = "results/embeddings/{pool}/shard-{shard}"
DISSIMILARITY = "results/task_space/{scenario}/{embedding}.safetensors"
GROUPS = "results/task_space/{scenario}/groups/{grouping}.json"
TRANSFER = "results/transfer/{pool}.json"
MODEL = "results/models/{scenario}/{method}/shot-{shot}/seed-{seed}"
EVALUATION = "results/evaluation/{scenario}/{method}/shot-{shot}/seed-{seed}"
SUMMARY = "results/summary/{scenario}.parquet"
SEEDS = "results/analysis/{scenario}/seeds.parquet"
ABLATION = "results/analysis/{scenario}/ablation-{ablation}-{name}"
PAIRS = "results/analysis/pairs/{pairs}/draw-{draw}.parquet"
TABLE = "results/tables/{scenario}/{name}.{suffix}"
FIGURE = "results/figures/{scenario}/{name}.{suffix}"

PROBE_EMBEDDING = "fisher"
"""The embedding that is stored, shard by shard; the others are made while teachers are compared."""


def embedding_of(grouping: str) -> str:
    """Return the embedding that a grouping is made from, e.g. ``fisher`` for ``fisher-heterogeneous-5``."""
    return grouping.split("-")[0]


def constraints(settings: Config) -> dict[str, str]:
    """Return a regular expression for each wildcard, which matches what the configuration names."""
    methods = {name for scenario in settings.scenarios for name in settings.all_variants(scenario)}
    return {
        "dataset": any_of(settings.datasets),
        "pool": any_of(settings.pools),
        "scenario": any_of(settings.scenarios),
        "method": any_of(sorted(methods)),
        "ablation": any_of(settings.ablations),
        "pairs": any_of(settings.pairs),
        "sweep": any_of(settings.sweeps),
        "budget": any_of(settings.budgets),
        "contrasts": any_of(settings.contrasts),
        "draw": r"\d+",
        "embedding": any_of(get_args(Embedding)),
        "grouping": r"[a-z]+-[a-z]+(@[\d.]+)?-\d+",
        "panel": r"[a-z]+-[a-z]+-(all|\d+)",
        "shot": any_of(["any", *settings.evaluation.shots]),
        "seed": any_of(settings.evaluation.seeds),
        "shard": r"\d+",
    }


def any_of(names: Iterable[str | int]) -> str:
    """Return a regular expression for some names; without names, one that matches nothing that can be a name."""
    return "|".join(re.escape(str(name)) for name in names) or "(?!)"
