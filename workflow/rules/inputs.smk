"""Input functions: which files a job needs, from its wildcards."""


def shard_members(wildcards):
    """Return the indices of a shard's teachers."""
    return list(settings.pools[wildcards.pool].shard(int(wildcards.shard)))


def find_sources():
    """Return what each dataset is read from, and stop if one of them is missing.

    Once a dataset is made, its source may be gone: Snakemake keeps what it cannot make again.
    """
    found, problems = {}, []
    for name, dataset in settings.datasets.items():
        try:
            if dataset.source != "mix":
                found[name] = readers.find(name, dataset, BASE / "tgr/resources")
        except TgrError as error:
            found[name] = Inputs([Path(dataset.path)])
            if not Path(DATASET.format(dataset=name)).exists():
                problems.append(str(error))
    if problems:
        raise WorkflowError("\n".join(problems))
    return found


SOURCES = find_sources()


def source_files(wildcards):
    """Return the files from which a dataset is read as a whole, or the datasets of a mix."""
    dataset = settings.datasets[wildcards.dataset]
    if dataset.source == "mix":
        return collect(DATASET, dataset=dataset.of)
    return [str(file) for file in SOURCES[wildcards.dataset].files]


def image_folder(wildcards):
    """Return the folder of a dataset's images, if they are files."""
    source = SOURCES.get(wildcards.dataset)
    return str(source.folder) if source and source.folder else []


def dataset_code(wildcards):
    """Return the sources of the stage `load_dataset` and of one reader."""
    source = settings.datasets[wildcards.dataset].source
    return code("load_dataset.py", *([] if source == "mix" else [readers.module(source)]))


def model_table(wildcards):
    """Return the table of a pool's own models."""
    return settings.pools[wildcards.pool].table


def shard_rows(wildcards):
    """Return a shard's rows of the table of its pool's own models: what changes here changes the teachers."""
    return [dump(TABLES[wildcards.pool][index]) for index in shard_members(wildcards)]


def model_files(wildcards):
    """Return the files of a shard of a pool's own models."""
    rows = [TABLES[wildcards.pool][index] for index in shard_members(wildcards)]
    folder = Path(settings.pools[wildcards.pool].table).parent
    return [str(folder / row.weights) for row in rows if row.weights != "package"]


def probe_weights(wildcards):
    """Return the checkpoint file of the probe network, if it is a file."""
    weights = settings.task_space.weights
    return [] if weights in ("package", "random") else [weights]


def inversion_probe_weights(wildcards):
    """Return the checkpoint file of the probe network, if a pool's inversion uses it."""
    return probe_weights(wildcards) if settings.inversion_of(wildcards.pool).probe_weight else []


def inversion_code(wildcards):
    """Return the sources of the stage `invert` and of a pool's engine."""
    return code("invert.py", f"tgr.inversion.{settings.inversion_of(wildcards.pool).engine}")


def teachers_pool(pool):
    """Return the pool whose teachers a pool has: its own name, unless it takes those of another one."""
    return settings.pools[pool].teachers_of or pool


def shard_teachers(wildcards):
    """Return the teachers of a shard."""
    return TEACHERS.format(pool=teachers_pool(wildcards.pool), shard=wildcards.shard)


def shards_of(pattern, pools):
    """Return a pattern with {pool} and {shard} for all shards of some pools."""
    return [
        pattern.format(pool=teachers_pool(pool) if pattern == TEACHERS else pool, shard=shard)
        for pool in pools
        for shard in range(settings.pools[pool].n_shards)
    ]


def all_shards(pattern):
    """Return an input function: a pattern with {pool} and {shard}, for all shards of a scenario's pools."""

    def paths(wildcards):
        return shards_of(pattern, settings.scenarios[wildcards.scenario].pools)

    return paths


def pool_shards(pattern):
    """Return an input function: a pattern with {pool} and {shard}, for all shards of a pool."""

    def paths(wildcards):
        return shards_of(pattern, [wildcards.pool])

    return paths


def fisher_embeddings(wildcards):
    """Return the Fisher embeddings of a scenario's teachers, if it is them that are compared."""
    return all_shards(EMBEDDINGS)(wildcards) if wildcards.embedding == "fisher" else []


def compared_images(wildcards):
    """Return the recovered images of a scenario's teachers, if another embedding is made from them."""
    return all_shards(RECOVERED)(wildcards) if wildcards.embedding != "fisher" else []


def comparison_code(wildcards):
    """Return the sources of the stage `compare` and of one embedding."""
    space = "dissimilarity" if wildcards.embedding == "fisher" else wildcards.embedding
    return code("compare.py", f"tgr.task_space.{space}")


def grouped_dissimilarity(wildcards):
    """Return the dissimilarities from which a grouping is made."""
    embedding = wildcards.grouping.split("-")[0]
    return DISSIMILARITY.format(scenario=wildcards.scenario, embedding=embedding)


def task_groups(wildcards):
    """Return the task groups of a method that uses them."""
    parameters = VARIANTS[wildcards.scenario][wildcards.method].parameters
    grouped = isinstance(parameters, GroupedParameters)
    return GROUPS.format(scenario=wildcards.scenario, grouping=parameters.groups_name) if grouped else []


def shown_groups(wildcards):
    """Return the task groups that a scenario's figure shows."""
    return GROUPS.format(scenario=wildcards.scenario, grouping=settings.groups_shown(wildcards.scenario))


def shown_dissimilarity(wildcards):
    """Return the dissimilarities that a scenario's figure shows."""
    embedding = settings.groups_shown(wildcards.scenario).split("-")[0]
    return DISSIMILARITY.format(scenario=wildcards.scenario, embedding=embedding)


def shown_task_space(wildcards):
    """Return everything behind the task groups that a scenario's figure shows, themselves included."""
    fisher = settings.groups_shown(wildcards.scenario).startswith("fisher")
    embeddings = all_shards(EMBEDDINGS)(wildcards) if fisher else []
    return [*embeddings, shown_dissimilarity(wildcards), shown_groups(wildcards)]


def datasets_of(pools):
    """Return the datasets on which the teachers of some pools were trained."""
    names = dict.fromkeys(settings.pools[pool].dataset for pool in pools)
    return collect(DATASET, dataset=[name for name in names if name])


def teacher_datasets(wildcards):
    """Return the datasets of a scenario's teachers."""
    return datasets_of(settings.scenarios[wildcards.scenario].pools)


def pool_dataset(wildcards):
    """Return the dataset of a pool's teachers."""
    return DATASET.format(dataset=settings.pools[wildcards.pool].dataset)


def real_datasets(wildcards):
    """Return the datasets of a scenario's teachers, for a method that may see them."""
    real = VARIANTS[wildcards.scenario][wildcards.method].parameters.real_images
    return teacher_datasets(wildcards) if real else []


def method_code(wildcards):
    """Return the sources of the stage `train` and of one method."""
    return code("train.py", f"tgr.methods.{VARIANTS[wildcards.scenario][wildcards.method].method}")


def evaluated_datasets(pattern):
    """Return an input function: a pattern with {dataset}, and perhaps {shot}, for what a scenario is evaluated on."""

    def paths(wildcards):
        names = settings.scenarios[wildcards.scenario].evaluate_on
        return collect(pattern, dataset=names, shot=wildcards.shot)

    return paths


def trained_model(wildcards):
    """Return the model that serves an evaluated shot."""
    variant = VARIANTS[wildcards.scenario][wildcards.method]
    shot = settings.training_shot(variant, int(wildcards.shot))
    return MODEL.format(**dict(wildcards.items()) | {"shot": shot})


def evaluations_of(scenario, names):
    """Return the evaluations of some variants."""
    shots, seeds = settings.evaluation.shots, settings.evaluation.seeds
    return collect(EVALUATION, scenario=scenario, method=list(names), shot=shots, seed=seeds)


def models_of(scenario, variants):
    """Return the trained models of some variants."""
    shots = settings.evaluation.shots
    trained = [(name, settings.training_shot(v, shot)) for name, v in variants.items() for shot in shots]
    return [
        MODEL.format(scenario=scenario, method=name, shot=shot, seed=seed)
        for name, shot in dict.fromkeys(trained)
        for seed in settings.evaluation.seeds
    ]


def all_evaluations(wildcards):
    """Return every evaluation of a scenario's main methods."""
    return evaluations_of(wildcards.scenario, MAIN[wildcards.scenario])


def main_evaluations(wildcards):
    """Return every evaluation of the main methods of all scenarios."""
    return [path for scenario, variants in MAIN.items() for path in evaluations_of(scenario, variants)]


def all_models(wildcards):
    """Return every trained model of a scenario's main methods."""
    return models_of(wildcards.scenario, MAIN[wildcards.scenario])


def ablation_evaluations(wildcards):
    """Return every evaluation of an ablation."""
    return evaluations_of(wildcards.scenario, ABLATIONS[wildcards.ablation])


def ablation_models(wildcards):
    """Return every trained model of an ablation."""
    return models_of(wildcards.scenario, ABLATIONS[wildcards.ablation])


def ablation_tables(suffixes):
    """Return the tables of all ablations."""
    return [
        TABLE.format(scenario=ablation.scenario, name=f"ablation-{name}", suffix=suffix)
        for name, ablation in settings.ablations.items()
        for suffix in suffixes
    ]


def ablation_figures(suffixes):
    """Return the figures of all ablations; that of gradient conflict where a method records it."""
    recording = [
        name for name, variants in ABLATIONS.items() if any(v.parameters.logs_conflict for v in variants.values())
    ]
    return [
        FIGURE.format(scenario=ablation.scenario, name=f"{kind}-{name}", suffix=suffix)
        for kind, names in (("ablation", settings.ablations), ("conflict", recording))
        for name, ablation in settings.ablations.items()
        if name in names
        for suffix in suffixes
    ]


def scenario_transfers(wildcards):
    """Return the transfer measurements of a scenario's pools that have real images to compare with."""
    pools = settings.scenarios[wildcards.scenario].pools
    return collect(TRANSFER, pool=[pool for pool in pools if settings.pools[pool].dataset])


def pairs_inputs(pattern):
    """Return an input function: a pattern with {dataset}, and perhaps {shot}, for an experiment with pairs of teachers;
    its shot is the largest."""

    def path(wildcards):
        dataset = settings.pools[settings.pairs[wildcards.pairs].pool].dataset
        return pattern.format(dataset=dataset, shot=max(settings.evaluation.shots))

    return path


def pairs_probe_weights(wildcards):
    """Return the checkpoint file of the probe network, if an inversion of the experiment uses it."""
    return probe_weights(wildcards) if pairs_probe(settings.pairs[wildcards.pairs]) else []


def pairs_code(wildcards):
    """Return the sources of an experiment with pairs of teachers, and of the engines that its pools use."""
    pairs = settings.pairs[wildcards.pairs]
    engines = {settings.inversion_of(pool).engine for pool in [pairs.pool, *pairs.others]}
    return code("measure_pairs.py", *(f"tgr.inversion.{engine}" for engine in sorted(engines)))


def pairs_draws(wildcards):
    """Return all draws of an experiment with pairs of teachers."""
    return collect(PAIRS, pairs=wildcards.pairs, draw=range(settings.pairs[wildcards.pairs].n_draws))


def swept_evaluations(wildcards):
    """Return every evaluation of the methods that a sweep shows."""
    methods = settings.swept_methods(wildcards.sweep)
    scenarios = settings.sweeps[wildcards.sweep].scenarios.values()
    return [path for scenario in scenarios for path in evaluations_of(scenario, methods)]


def templates(*names):
    """Return files of `tgr/reporting/publish/templates`."""
    return [str(BASE / "tgr/reporting/publish/templates" / name) for name in names]


def made(*suffixes):
    """Return what the rule `all` makes, by suffix."""
    return [str(file) for file in rules.all.input if str(file).endswith(suffixes)]


def linked_files(wildcards):
    """Return the figures and tables to which the page links, relative to the page."""
    return [os.path.relpath(file, "results") for file in made(".png", ".md")]


def paper_files(wildcards):
    """Return the figures and tables of the kit."""
    return made(".pdf", ".tex", ".csv")
