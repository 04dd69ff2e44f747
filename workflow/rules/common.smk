"""What all rules share: the validated configuration, the grammar of paths, the environment of jobs.

Path grammar, below the working directory:
    results/<stage>/{dataset|pool|scenario}/...
A pool is handled in shards of teachers, each a folder. `{method}` is a method, or a variant of one that an ablation asks
for, e.g. `tgr.treatment-none`. `{shot}` is the number of support images a class, or `any` for a training that serves every
shot. `{grouping}` names an embedding, a kind of grouping (perhaps at a level) and a number of groups, e.g.
`fisher-heterogeneous-5` or `fisher-balanced@0.5-5`.
"""

import fcntl
import os
import re
from pathlib import Path

from tgr.run import job, source_graph
from tgr.config.load import refuse_repeated_keys, validate
from tgr.config.methods.base import GroupedParameters
from tgr.config.methods.registry import bibliography
from tgr.config.existing_models import read_table
from tgr.data.download import CIFAR100
from tgr.data.readers import registry as readers
from tgr.data.readers.base import Inputs
from tgr.errors import TgrError
from tgr.run.slurm import jobs_logging_below

BASE = Path(os.path.relpath(workflow.basedir))

try:
    for file in workflow.configfiles:
        refuse_repeated_keys(os.path.relpath(file))
    settings = validate(config, ", ".join(os.path.relpath(file) for file in workflow.configfiles))
    TABLES = {name: read_table(pool.table) for name, pool in settings.pools.items() if pool.table}
    for name, rows in TABLES.items():
        if len(rows) != settings.pools[name].n_teachers:
            raise TgrError(
                f"pools.{name}.n_teachers: {settings.pools[name].table} lists {len(rows)} models, not "
                f"{settings.pools[name].n_teachers}; make them equal"
            )
except TgrError as error:
    raise WorkflowError(str(error)) from None

SCENARIOS = list(settings.scenarios)
MAIN = {scenario: settings.main_methods(scenario) for scenario in SCENARIOS}
VARIANTS = {scenario: settings.all_variants(scenario) for scenario in SCENARIOS}
ABLATIONS = {name: settings.ablation_variants(name) for name in settings.ablations}

DATASET = "results/datasets/{dataset}.safetensors"
EPISODES = "results/episodes/{dataset}/shot-{shot}.safetensors"
TEACHERS = "results/teachers/{pool}/shard-{shard}"
RECOVERED = "results/recovered/{pool}/shard-{shard}"
EMBEDDINGS = "results/embeddings/{pool}/shard-{shard}"
DISSIMILARITY = "results/task_space/{scenario}/{embedding}.safetensors"
GROUPS = "results/task_space/{scenario}/groups/{grouping}.json"
TRANSFER = "results/transfer/{pool}.json"
MODEL = "results/models/{scenario}/{method}/shot-{shot}/seed-{seed}"
EVALUATION = "results/evaluation/{scenario}/{method}/shot-{shot}/seed-{seed}"
PAIRS = "results/analysis/pairs/{pairs}/draw-{draw}.parquet"
TABLE = "results/tables/{scenario}/{name}.{suffix}"
ABLATION = "results/tables/{scenario}/ablation-{ablation}"
FIGURE = "results/figures/{scenario}/{name}.{suffix}"


# Snakemake prefers such jobs among those that are ready. Without it all evaluations of the methods that need no task groups
# may come before the last embedding, and the groups' methods are then trained when nothing else is left to fill the cores.
ON_THE_LONGEST_CHAIN = 1


wildcard_constraints:
    dataset="|".join(settings.datasets),
    pool="|".join(settings.pools),
    scenario="|".join(SCENARIOS),
    method="|".join(sorted({re.escape(name) for variants in VARIANTS.values() for name in variants})),
    ablation="|".join(settings.ablations) or "none",
    pairs="|".join(settings.pairs) or "none",
    sweep="|".join(settings.sweeps) or "none",
    draw=r"\d+",
    embedding="fisher|features|logits|parameters",
    grouping=r"[a-z]+-[a-z]+(@[\d.]+)?-\d+",
    shot="|".join(["any", *map(str, settings.evaluation.shots)]),
    seed="|".join(map(str, settings.evaluation.seeds)),
    shard=r"\d+",


# Jobs inherit this environment. One thread a job: results then do not depend on the number of cores, and as many jobs as
# cores are faster. Without the two MALLOC_ variables glibc returns big blocks to the kernel after each training step.
os.environ |= {
    job.OWNER: job.owner(),
    "PYTHONPATH": os.pathsep.join(filter(None, [workflow.basedir, os.environ.get("PYTHONPATH")])),
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MPLBACKEND": "Agg",
    "SOURCE_DATE_EPOCH": "0",
    "TQDM_MININTERVAL": "5",
}


onstart:
    if problem := unwritable("results"):
        raise WorkflowError(problem)
    guard_working_directory()
    if workflow.local_exec:
        # Snakemake's limit of jobs a second sets one more timer at each look for new jobs, and each timer looks again:
        # after 130 jobs it took a fifth of a core. On one machine the number of cores is limit enough.
        workflow.scheduler.job_rate_limiter = None


def unwritable(folder):
    """Say that a folder cannot be written to, if it cannot."""
    if os.path.exists(folder) and not os.access(folder, os.W_OK):
        return f"{os.path.abspath(folder)}: cannot be written to; check the permissions, or use --directory"


if problem := unwritable(".snakemake"):
    raise WorkflowError(problem)  # Snakemake's own attempt would end in a traceback
if problem := unwritable("results"):
    logger.warning(problem)  # a dry run may go on; where results are there, Snakemake stops before a job starts


def guard_working_directory():
    """Refuse a second run in the same working directory, and jobs of an earlier one that still write there.

    The kernel releases this lock when the process ends, however it ends; Snakemake's own, which the profile switches off,
    would stay after `kill -9`. Jobs in the queue of a cluster outlive the process.
    """
    global guard
    guard = open(".snakemake/tgr.lock", "w")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError(f"another run is using {os.getcwd()}; wait until it ends, or use --directory") from None
    except OSError as error:
        logger.warning(f"{os.getcwd()} cannot be locked ({error.strerror}): see to it that only one run uses it")
    if left := jobs_logging_below(Path(".snakemake/slurm_logs").resolve()):
        raise WorkflowError(
            f"jobs of an earlier run still write to {os.getcwd()}; cancel them (scancel {' '.join(left)}), and run again"
        )


def code(script, *modules):
    """Return a script of `workflow/scripts` and all source files that it uses: the input `code` of its rule."""
    files = source_graph.sources_of_script(Path(workflow.basedir) / "workflow/scripts" / script, *modules)
    return [os.path.relpath(file) for file in files]


def dump(section, **options):
    """Return a section of the configuration as plain values."""
    return section.model_dump(mode="json", **options)


REPORTED = {}
"""The caption of each output that the report shows, by its path with wildcards."""


KINDS = {".png": "figures", ".csv": "tables", ".html": "pages"}


def report_item(path, caption, category="{scenario}", item=""):
    """Return an output that the HTML report shows under a category and its kind, with a caption of `workflow/report`.

    One label only: of a second one that has two values, the report's script makes a switch, and fails.
    """
    REPORTED[path] = caption
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category=category,
        subcategory=KINDS[Path(path).suffix],
        labels={"item": item or caption.replace("_", " ")},
    )
