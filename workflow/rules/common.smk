"""What all rules share: the validated configuration, the grammar of paths, the environment of jobs.

Path grammar, below the working directory:
    results/<stage>/{dataset|pool|scenario}/...
A pool is handled in shards of teachers, each a folder. `{shot}` is the number of support images a class, or `any` for a
training that serves every shot.
"""

import fcntl
import os
from pathlib import Path

from tgr import job, source_graph
from tgr.config.load import validate
from tgr.errors import TgrError

BASE = Path(os.path.relpath(workflow.basedir))

try:
    settings = validate(config, ", ".join(os.path.relpath(file) for file in workflow.configfiles))
except TgrError as error:
    raise WorkflowError(str(error)) from None

SCENARIOS = list(settings.scenarios)
METHODS = settings.methods.active()

DATASET = "results/datasets/{dataset}.safetensors"
EPISODES = "results/episodes/{dataset}/shot-{shot}.safetensors"
TEACHERS = "results/teachers/{pool}/shard-{shard}"
RECOVERED = "results/recovered/{pool}/shard-{shard}"
EMBEDDINGS = "results/embeddings/{pool}/shard-{shard}"
DISSIMILARITY = "results/task_space/{scenario}/dissimilarity.safetensors"
GROUPS = "results/task_space/{scenario}/groups.json"
MODEL = "results/models/{scenario}/{method}/shot-{shot}/seed-{seed}"
EVALUATION = "results/evaluation/{scenario}/{method}/shot-{shot}/seed-{seed}"
TABLE = "results/tables/{scenario}/{name}.{suffix}"
FIGURE = "results/figures/{scenario}/{name}.{suffix}"


wildcard_constraints:
    dataset="|".join(settings.datasets),
    pool="|".join(settings.pools),
    scenario="|".join(SCENARIOS),
    method="|".join(METHODS),
    shot="|".join(["any", *map(str, settings.evaluation.shots)]),
    seed="|".join(map(str, settings.evaluation.seeds)),
    shard=r"\d+",


# Jobs inherit this environment. One thread a job: results then do not depend on the number of cores, and as many jobs as
# cores are faster. Without the two MALLOC_ variables glibc returns big blocks to the kernel after each training step.
os.environ |= {
    job.OWNER: str(os.getpid()),
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
    guard_working_directory()


def guard_working_directory():
    """Refuse a second run in the same working directory.

    The kernel releases this lock when the process ends, however it ends; Snakemake's own, which the profile switches off,
    would stay after `kill -9`.
    """
    global guard
    guard = open(".snakemake/tgr.lock", "w")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError(f"another run is using {os.getcwd()}; wait until it ends, or use --directory") from None


def code(script, *modules):
    """Return a script of `workflow/scripts` and all source files that it uses: the input `code` of its rule."""
    files = source_graph.sources_of_script(Path(workflow.basedir) / "workflow/scripts" / script, *modules)
    return [os.path.relpath(file) for file in files]


def dump(section, **options):
    """Return a section of the configuration as plain values."""
    return section.model_dump(mode="json", **options)


# The parameters of the rules: to each stage only what it uses, so that nothing else makes it run again.
PARAMETERS = {
    "dataset": {name: dump(dataset) for name, dataset in settings.datasets.items()},
    "episodes": dump(settings.evaluation, include={"n_way", "n_query", "n_episodes", "n_val_episodes"}),
    "pool": {
        name: dump(pool, include={"dataset", "architecture", "width", "n_way"}) for name, pool in settings.pools.items()
    },
    "pretrain": {name: dump(settings.pretrain_of(name)) for name in settings.pools},
    "inversion": {name: dump(settings.inversion_of(name)) for name in settings.pools},
    "embedding": dump(settings.task_space, exclude={"n_groups"}),
    "n_groups": settings.task_space.n_groups,
    "model": {
        name: dump(scenario, include={"architecture", "width", "image_size"})
        for name, scenario in settings.scenarios.items()
    },
    "scenario": {name: dump(scenario) for name, scenario in settings.scenarios.items()},
    "method": {name: dump(parameters) for name, parameters in METHODS.items()},
    "meta": dump(settings.meta),
    "held_out": dump(settings.meta, include={"held_out_per_class"}),
    "evaluation": {
        name: dump(settings.evaluation, exclude={"shots", "seeds", "headline"})
        | {"protocols": [p for p in settings.evaluation.protocols if p in parameters.protocols]}
        for name, parameters in METHODS.items()
    },
    "methods": list(METHODS),
    "headline": settings.evaluation.headline,
    "figures": dump(settings.figures),
    "device": settings.device,
}


def parameter(path):
    """Return an entry of PARAMETERS; its path may contain wildcards."""
    return lookup(path, within=PARAMETERS)


def teacher_dataset(wildcards):
    """Return the dataset of a pool."""
    return DATASET.format(dataset=settings.pools[wildcards.pool].dataset)


def shard_members(wildcards):
    """Return the indices of a shard's teachers."""
    return list(settings.pools[wildcards.pool].shard(int(wildcards.shard)))


def source_files(wildcards):
    """Return the files of a dataset: the embedded pack's index and sheet, or what the configuration names."""
    dataset = settings.datasets[wildcards.dataset]
    if dataset.source == "pack":
        pack = BASE / "resources/packs" / (dataset.pack or wildcards.dataset)
        return [f"{pack}.json", f"{pack}.webp"]
    return [dataset.path, dataset.splits]


def probe_weights(wildcards):
    """Return the checkpoint file of the probe network, if it is a file."""
    weights = settings.task_space.weights
    return [] if weights in ("package", "random") else [weights]


def all_shards(pattern):
    """Return an input function: a pattern with {pool} and {shard}, for all shards of a scenario's pools."""

    def paths(wildcards):
        pools = settings.scenarios[wildcards.scenario].pools
        return [
            pattern.format(pool=pool, shard=shard) for pool in pools for shard in range(settings.pools[pool].n_shards)
        ]

    return paths


def teacher_datasets(wildcards):
    """Return the datasets of a scenario's teachers."""
    pools = settings.scenarios[wildcards.scenario].pools
    return collect(DATASET, dataset=dict.fromkeys(settings.pools[pool].dataset for pool in pools))


def real_datasets(wildcards):
    """Return the datasets of a scenario's teachers, for a method that may see them."""
    return teacher_datasets(wildcards) if METHODS[wildcards.method].real_images else []


def method_code(wildcards):
    """Return the sources of the stage `train` and of one method."""
    return code("train.py", source_graph.constant("tgr.methods.registry", "METHODS")[wildcards.method])


def evaluated_datasets(pattern):
    """Return an input function: a pattern with {dataset}, and perhaps {shot}, for what a scenario is evaluated on."""

    def paths(wildcards):
        names = settings.scenarios[wildcards.scenario].evaluate_on
        return collect(pattern, dataset=names, shot=wildcards.shot)

    return paths


def trained_model(wildcards):
    """Return the model that serves an evaluated shot."""
    shot = settings.training_shot(wildcards.method, int(wildcards.shot))
    return MODEL.format(**dict(wildcards.items()) | {"shot": shot})


def all_evaluations(wildcards):
    """Return every evaluation of a scenario."""
    return collect(
        EVALUATION,
        scenario=wildcards.scenario,
        method=METHODS,
        shot=settings.evaluation.shots,
        seed=settings.evaluation.seeds,
    )


def all_models(wildcards):
    """Return every trained model of a scenario."""
    shots = [(method, settings.training_shot(method, shot)) for method in METHODS for shot in settings.evaluation.shots]
    return [
        MODEL.format(scenario=wildcards.scenario, method=method, shot=shot, seed=seed)
        for method, shot in dict.fromkeys(shots)
        for seed in settings.evaluation.seeds
    ]


def report_item(path, caption):
    """Return an output that the HTML report shows under its scenario, with a caption of `workflow/report`."""
    return report(
        path, caption=f"../report/{caption}.rst", category="{scenario}", labels={"item": caption.replace("_", " ")}
    )
