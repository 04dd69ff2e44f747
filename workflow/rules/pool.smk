"""The pools of teachers: trained here, or brought along."""


rule pretrain:
    """Train a shard of teachers, each on classes of its own."""
    input:
        dataset=for_job(needed.pool_dataset),
        code=for_job(needed.pretrain_code),
    output:
        teachers=directory(TEACHERS),
    log:
        "results/logs/pretrain/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/pretrain/{pool}/shard-{shard}.tsv"
    wildcard_constraints:
        pool=any_of(settings.trained_pools),
    priority: ON_THE_LONGEST_CHAIN
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("pretrain", "mem_mb"),
        runtime=planned("pretrain", "minutes"),
    params:
        members=for_job(needed.members),
        kind=parameter("pool/{pool}"),
        pretrain=parameter("pretrain/{pool}"),
        device=parameter("device"),
        processor=parameter("processor"),
    script:
        "../scripts/pretrain.py"


rule import_models:
    """Take a shard of existing models into a pool, after checking each of them."""
    input:
        table=for_job(needed.model_table),
        models=for_job(needed.model_files),
        code=for_job(needed.import_models_code),
    output:
        teachers=directory(TEACHERS),
    log:
        "results/logs/import_models/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/import_models/{pool}/shard-{shard}.tsv"
    wildcard_constraints:
        pool=any_of(needed.tables),
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("import_models", "mem_mb"),
        runtime=planned("import_models", "minutes"),
    params:
        members=for_job(needed.members),
        rows=for_job(needed.rows),
    script:
        "../scripts/import_models.py"
