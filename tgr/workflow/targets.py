"""What rule ``all`` makes: the tables, figures and pages of a configuration."""

from collections.abc import Iterable, Mapping
from itertools import product

from tgr.workflow.jobs import Jobs
from tgr.workflow.paths import FIGURE, TABLE

TABLES = (
    "main",
    "selection",
    "pools",
    "cost",
)
FIGURES = (
    "accuracy",
    "cost",
    "selection",
    "recovered",
    "curves",
)
"""Of every scenario; rules `tabulate_<name>` and `plot_<name>` make them."""
TASK_SPACE_FIGURES = ("dissimilarity", "task-map")
"""Of scenarios with task groups; the names of their rules have underscores for hyphens."""
TABLE_SUFFIXES, FIGURE_SUFFIXES = ("csv", "md", "tex"), ("png", "pdf")
INDEX = "results/index.html"


def all_targets(jobs: Jobs) -> list[str]:
    """Return every file of rule ``all``."""
    tables = [(scenario, name) for scenario in jobs.settings.named_scenarios for name in TABLES]
    tables += [(ablation.scenario, f"ablation-{name}") for name, ablation in jobs.settings.ablations.items()]
    figures = [(scenario, name) for scenario in jobs.settings.named_scenarios for name in FIGURES]
    figures += [(scenario, name) for scenario in jobs.grouped_scenarios for name in TASK_SPACE_FIGURES]
    figures += [(ablation.scenario, f"ablation-{name}") for name, ablation in jobs.settings.ablations.items()]
    figures += [(jobs.settings.ablations[name].scenario, f"conflict-{name}") for name in jobs.recording_ablations]
    experiments = [f"pairs/{name}" for name in jobs.settings.pairs]
    experiments += [f"sweeps/{name}" for name in jobs.settings.sweeps]
    experiments += [f"budgets/{name}" for name in jobs.settings.budgets]
    experiments += [f"contrasts/{name}" for name in jobs.settings.contrasts]
    return [
        *(TABLE.format(scenario=s, name=n, suffix=suffix) for (s, n), suffix in product(tables, TABLE_SUFFIXES)),
        *(FIGURE.format(scenario=s, name=n, suffix=suffix) for (s, n), suffix in product(figures, FIGURE_SUFFIXES)),
        *(f"results/tables/overview.{suffix}" for suffix in TABLE_SUFFIXES),
        *(f"results/figures/theory.{suffix}" for suffix in FIGURE_SUFFIXES),
        *(f"results/figures/{name}.{suffix}" for name, suffix in product(experiments, FIGURE_SUFFIXES)),
        *(f"results/tables/{name}.csv" for name in experiments),
        INDEX,
    ]


def ending_in(targets: Iterable[str], *suffixes: str) -> list[str]:
    """Return the targets of some suffixes, e.g. ``.png``."""
    return [target for target in targets if target.endswith(suffixes)]


RULES: Mapping[str, tuple[str, ...]] = {
    "scenario": (
        "summarise",
        "measure_selection",
        "measure_pools",
        "measure_cost",
        "gather_curves",
        "pick_examples",
        *(f"tabulate_{name}" for name in TABLES),
        *(f"plot_{name}" for name in FIGURES),
    ),
    "grouped scenario": ("map_task_space", *(f"plot_{name.replace('-', '_')}" for name in TASK_SPACE_FIGURES)),
    "ablation": ("summarise_ablation", "tabulate_ablation", "plot_ablation"),
    "recording ablation": ("plot_conflict",),
    "pairs": ("gather_pairs", "plot_pairs"),
    "sweep": ("gather_sweep", "plot_sweep"),
    "budget": ("gather_budget", "plot_budget"),
    "contrasts": ("measure_contrasts", "plot_contrasts"),
    "run": ("measure_theory", "plot_theory", "tabulate_overview", "write_index"),
}
"""The rules after the evaluation, by what they run once for."""


def counts(jobs: Jobs) -> dict[str, int]:
    """Return the number of jobs of each rule after the evaluation; rules without jobs are left out."""
    settings = jobs.settings
    occasions = {
        "scenario": len(settings.named_scenarios),
        "grouped scenario": len(jobs.grouped_scenarios),
        "ablation": len(settings.ablations),
        "recording ablation": len(jobs.recording_ablations),
        "pairs": len(settings.pairs),
        "sweep": len(settings.sweeps),
        "budget": len(settings.budgets),
        "contrasts": len(settings.contrasts),
        "run": 1,
    }
    return {rule: occasions[occasion] for occasion, rules in RULES.items() for rule in rules if occasions[occasion]}
