"""The pools of teachers: trained here, or brought along."""


rule pretrain:
    """Train a shard of teachers, each on classes of its own."""
    input:
        dataset=for_job(needed.pool_dataset),
        code=for_job(code_of.pretrain),
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
        gpu_mb=on_a_card("pretrain"),
        runtime=planned("pretrain", "minutes"),
    params:
        members=for_job(needed.members),
        kind=parameter("pool/{pool}"),
        pretrain=parameter("pretrain/{pool}"),
        device=parameter("device"),
        precision=parameter("precision"),
        launches=parameter("launches"),
        processor=parameter("processor"),
    script:
        "../scripts/pretrain.py"


# `ancient`, because the digest in its name says what the file is: how it was fetched does not matter.
rule download_weights:
    """Fetch weights of an existing model whose table gives an address; continues where it was interrupted."""
    input:
        code=ancient(code("download_weights.py")),
    output:
        weights=FETCHED,
    log:
        "results/logs/download_weights/{weights}.log",
    benchmark:
        "results/benchmarks/download_weights/{weights}.tsv"
    wildcard_constraints:
        weights=any_of(needed.addresses),
    retries: 3
    localrule: True  # the nodes of a cluster often have no network
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=500,
        runtime=120,
    params:
        address=for_job(needed.address),
    script:
        "../scripts/download_weights.py"


rule import_models:
    """Take a shard of existing models into a pool, after checking each of them."""
    input:
        table=for_job(needed.model_table),
        models=for_job(needed.model_files),
        code=for_job(code_of.import_models),
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
