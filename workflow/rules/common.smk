"""What all rules share: the validated configuration, what jobs need (tgr/workflow), the environment of jobs."""

import os
import sys
from pathlib import Path

from snakemake.sourcecache import LocalSourceFile

if not isinstance(source := workflow.current_basedir, LocalSourceFile):
    raise WorkflowError(
        "TGR-bench needs its files on this machine: clone it, and let the module name the clone's workflow/Snakefile"
    )
REPOSITORY = str(Path(source.get_path_or_uri(secret_free=True)).parents[1])
sys.path.insert(0, REPOSITORY)

from tgr.config.addresses import FETCHED
from tgr.config.load import refuse_repeated_keys, validate
from tgr.data.download import CIFAR100
from tgr.errors import TgrError
from tgr.plan.estimates import Estimates
from tgr.plan.units import load_units
from tgr.run import gpus, job, terminal, working_directory
from tgr.workflow import inputs as input_functions
from tgr.workflow import parameters as parameter_tree
from tgr.workflow.code import CodeOf
from tgr.workflow.inputs import Inputs
from tgr.workflow.jobs import Jobs
from tgr.workflow.paths import DATASET, DISSIMILARITY, EMBEDDINGS, EPISODES, EVALUATION, GROUPS, JUDGEMENTS, MODEL
from tgr.workflow.paths import PAIRS, RECOVERED, SUMMARY, TEACHERS, TRANSFER, any_of, constraints
from tgr.workflow.targets import all_targets, ending_in

IS_MODULE = not workflow.modifier.is_main_snakefile()
"""Whether another workflow uses this one, with a prefix of its own before all results (docs/as-a-module.md)."""
RESULTS = str(workflow.modifier.modify_path("results"))

shown = workflow.output_settings
if workflow.is_main_process and not (IS_MODULE or shown.verbose or shown.debug_dag or shown.quiet):
    terminal.install(logger, dry_run=shown.dryrun, local=workflow.local_exec or shown.dryrun)

BASE = Path(os.path.relpath(REPOSITORY))
CONFIGS = [os.path.relpath(file) for file in workflow.configfiles]

try:
    for file in [] if IS_MODULE else CONFIGS:
        refuse_repeated_keys(file)
    settings = validate(config, "config of the module" if IS_MODULE else ", ".join(CONFIGS))
    settings = settings.model_copy(update={"device": gpus.choose_device(settings.device, logger.warning)})
    on_gpus = settings.device.startswith("cuda")
    cards = gpus.choose_cards(settings.device, gpus.list_cards()) if on_gpus else []
    if settings.launches == "graph" and not on_gpus and workflow.is_main_process:
        logger.warning(f"launches: graph needs CUDA; on {settings.device} steps run one kernel after the other")
    jobs = Jobs(settings)
    needed = Inputs(jobs, BASE)
    code_of = CodeOf(jobs, needed.tables, BASE)
    estimates = Estimates(settings, load_units())
    planned = estimates.resource
    os.environ |= job.environment(REPOSITORY, settings.processor)  # which jobs inherit
    working_directory.require_writable(".snakemake")  # Snakemake's own attempt would end in a traceback
except TgrError as error:
    raise WorkflowError(str(error)) from None

if cards and workflow.is_main_process and workflow.local_exec and "gpu_mb" not in workflow.global_resources:
    workflow.register_resource("gpu_mb", gpus.jobs_memory_mb(cards))

TARGETS = all_targets(jobs)
PARAMETERS = parameter_tree.parameters(jobs)

BRIEF = {"mem_mb": 2000, "runtime": 10}
"""The resources of rules that summarise, typeset or draw. One thread is Snakemake's default."""

# Snakemake prefers such jobs among those that are ready. Without it all evaluations of the methods that need no task groups
# may come before the last embedding, and the groups' methods are then trained when nothing else is left to fill the cores.
ON_THE_LONGEST_CHAIN = 1


wildcard_constraints:
    **constraints(settings),


if problem := working_directory.unwritable(RESULTS):
    logger.warning(problem)  # a dry run may go on; where results are there, Snakemake stops before a job starts


onstart:
    try:
        working_directory.require_writable("results")
        lock = working_directory.occupy(logger.warning)
    except TgrError as error:
        raise WorkflowError(str(error)) from None
    globals()["lock"] = lock  # held until the process ends
    if workflow.local_exec:
        # Snakemake's limit of jobs a second sets one more timer at each look for new jobs, and each timer looks again:
        # after 130 jobs it took a fifth of a core. On one machine the number of cores is limit enough.
        workflow.scheduler.job_rate_limiter = None


def given(files):
    """Mark files that are no results; the prefix of a module is not for them."""
    if isinstance(files, list):
        return [given(file) for file in files]
    made = not isinstance(files, str) or files.startswith("results/")
    return local(files) if IS_MODULE and not made else files


def code(script, *modules):
    """Return a script of `workflow/scripts`, and all source files that it and further modules use."""
    return given(code_of.script(script, *modules))


def for_job(function):
    """Return an input function or a parameter: what a method of `Inputs` returns for a job's wildcards."""
    of_job = input_functions.for_job(function)
    return lambda wildcards: given(of_job(wildcards))


def on_a_card(rule):
    """Return a function of a job's wildcards: the memory that it takes of a GPU, at most all of one; 0 without GPUs."""
    of_job, largest = planned(rule, "gpu_mb"), max((gpus.jobs_memory_mb([card]) for card in cards), default=0)
    return lambda wildcards: min(of_job(wildcards), largest)


def parameter(path):
    """Return an input function: an entry of PARAMETERS; its path may contain wildcards, e.g. `pool/{pool}`."""
    return parameter_tree.entry(PARAMETERS, path)


def paper_parameters(wildcards):
    """Return what the kit says of the run; captions are known when all rules are read."""
    return parameter_tree.paper(jobs, TARGETS, CAPTIONS, CONFIGS)


CAPTIONS = {}
"""The caption of each output that the report shows, by its path with wildcards."""
KINDS = {".png": "figures", ".csv": "tables", ".html": "pages"}


def report_item(path, caption, category="{scenario}", item=""):
    """Return an output that the HTML report shows under a category and its kind, with a caption of `workflow/report`.

    One label only: of a second one that has two values, the report's script makes a switch, and fails.
    """
    CAPTIONS[path] = caption
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category=category,
        subcategory=KINDS[Path(path).suffix],
        labels={"item": item or caption.replace("_", " ")},
    )


def table_files(name, *caption, **item):
    """Return the files of a table below `results/tables`; the report shows the CSV, for `multiext` knows no captions."""
    path = f"results/tables/{name}"
    return {"csv": report_item(f"{path}.csv", *caption, **item), "md": f"{path}.md", "tex": f"{path}.tex"}


def figure_files(name, *caption, **item):
    """Return the files of a figure below `results/figures`; the report shows the PNG."""
    path = f"results/figures/{name}"
    return {"png": report_item(f"{path}.png", *caption, **item), "pdf": f"{path}.pdf"}
