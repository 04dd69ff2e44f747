"""The parameters of the rules: to each stage only what it uses, so that nothing else makes it run again."""


def evaluation_of(parameters):
    """Return the section `evaluation` as far as it concerns one method."""
    section = dump(settings.evaluation, exclude={"shots", "seeds", "n_students"})
    return section | {"protocols": [name for name in section["protocols"] if name in parameters.protocols]}


def episodes_of(dataset):
    """Return what the episodes of a dataset are drawn by."""
    shape = dump(settings.evaluation, include={"n_way", "n_query", "n_episodes", "n_val_episodes"})
    return shape | ({"n_episodes": dataset.n_episodes} if dataset.n_episodes else {})


def teacher_of(pool):
    """Return what kind of teachers a pool has."""
    return dump(pool, include={"dataset", "architecture", "width", "options", "n_way"})


def pairs_of(pairs):
    """Return how the two teachers of an experiment are made, what is trained on their images, and how it is judged."""
    pool = settings.pools[pairs.pool]
    kinds = {
        name: {
            "pool": teacher_of(settings.pools[name]),
            "pretrain": dump(settings.pretrain_of(name)),
            "inversion": dump(settings.inversion_of(name)),
        }
        for name in [pairs.pool, *pairs.others]
    }
    return {
        "base": pairs.pool,
        "kinds": kinds,
        "steps": pairs.steps,
        "model": dump(pool, include={"architecture", "width", "options"}),
        "meta": dump(settings.meta),
        "evaluation": dump(settings.evaluation, include={"n_way", "bn_mode"}),
        "shot": max(settings.evaluation.shots),
        "probe": dump(settings.task_space) if pairs_probe(pairs) else None,
    }


def pairs_probe(pairs):
    """Return whether an inversion of an experiment uses the probe network."""
    return any(settings.inversion_of(pool).probe_weight for pool in [pairs.pool, *pairs.others])


PARAMETERS = {
    "dataset": {name: dump(dataset, exclude={"n_episodes"}) for name, dataset in settings.datasets.items()},
    "episodes": {name: episodes_of(dataset) for name, dataset in settings.datasets.items()},
    "pool": {name: teacher_of(pool) for name, pool in settings.pools.items()},
    "pretrain": {name: dump(settings.pretrain_of(name)) for name in settings.pools},
    "inversion": {name: dump(settings.inversion_of(name)) for name in settings.pools},
    "probe": {
        name: dump(settings.task_space) if settings.inversion_of(name).probe_weight else None for name in settings.pools
    },
    "task_space": dump(settings.task_space),
    "model": {
        name: dump(scenario, include={"architecture", "width", "options", "image_size"})
        for name, scenario in settings.scenarios.items()
    },
    "scenario": {name: dump(scenario, exclude={"methods"}) for name, scenario in settings.scenarios.items()},
    "variant": {
        scenario: {name: {variant.method: dump(variant.parameters)} for name, variant in variants.items()}
        for scenario, variants in VARIANTS.items()
    },
    "meta": dump(settings.meta),
    "held_out": dump(settings.meta, include={"held_out_per_class"}),
    "evaluation": {
        scenario: {name: evaluation_of(variant.parameters) for name, variant in variants.items()}
        for scenario, variants in VARIANTS.items()
    },
    "methods": {
        scenario: {name: variant.parameters.label for name, variant in variants.items()}
        for scenario, variants in MAIN.items()
    },
    "looks": {
        scenario: {name: variant.parameters.look() for name, variant in variants.items()}
        for scenario, variants in MAIN.items()
    },
    "needs": {
        scenario: {name: list(variant.parameters.needs) for name, variant in variants.items()}
        for scenario, variants in MAIN.items()
    },
    "ablation": {
        name: {
            "caption": settings.ablations[name].caption,
            "variants": {
                variant: {"method": v.parameters.label, "changes": dict(v.changes)} for variant, v in variants.items()
            },
        }
        for name, variants in ABLATIONS.items()
    },
    "pairs": {name: pairs_of(pairs) for name, pairs in settings.pairs.items()},
    "sweep": {
        name: {
            "label": sweep.label,
            "scenarios": {scenario: value for value, scenario in sweep.scenarios.items()},
            "methods": {method: settings.methods.active()[method].label for method in settings.swept_methods(name)},
        }
        for name, sweep in settings.sweeps.items()
    },
    "n_students": settings.evaluation.n_students,
    "headline": settings.evaluation.headline,
    "figures": dump(settings.figures),
    "device": settings.device,
}


def parameter(path):
    """Return an input function: an entry of PARAMETERS; its path may contain wildcards.

    Snakemake's `lookup` does the same, but visits all entries for every job.
    """
    parts = path.split("/")

    def entry(wildcards):
        value = PARAMETERS
        for part in parts:
            value = value[part.format(**wildcards)]
        return value

    return entry


def figure_captions(wildcards):
    """Return for each figure of the kit its caption's file and the wildcards of its rule."""
    patterns = {
        re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))): caption
        for path, caption in REPORTED.items()
    }
    found = {}
    for file in made(".pdf"):
        shown = file.removesuffix(".pdf") + ".png"
        for pattern, caption in patterns.items():
            if match := pattern.fullmatch(shown):
                found[file] = [f"{caption}.rst", match.groupdict()]
    return found


def paper_parameters(wildcards):
    """Return what the kit says of the run: captions, labels of methods, the resolved configuration, the command."""
    configs = " ".join(os.path.relpath(file) for file in workflow.configfiles)
    return {
        "captions": figure_captions(wildcards),
        "methods": {name: label for methods in PARAMETERS["methods"].values() for name, label in methods.items()},
        "bibliography": bibliography(),
        "settings": dump(settings),
        "command": f"snakemake --cores all --configfile {configs}",
    }
