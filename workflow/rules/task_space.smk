"""Where teachers stand to each other."""


rule embed:
    """Embed each teacher of a shard by the Fisher information of a probe on its recovered images."""
    input:
        teachers=for_job(needed.shard_teachers),
        recovered=RECOVERED,
        weights=needed.probe_weights(),
        code=for_job(code_of.embed),
    output:
        embeddings=directory(EMBEDDINGS),
    log:
        "results/logs/embed/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/embed/{pool}/shard-{shard}.tsv"
    priority: ON_THE_LONGEST_CHAIN
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("embed", "mem_mb"),
        gpu_mb=on_a_card("embed"),
        runtime=planned("embed", "minutes"),
    params:
        task_space=parameter("task_space"),
        device=parameter("device"),
        processor=parameter("processor"),
    script:
        "../scripts/embed.py"


rule compare:
    """Measure the dissimilarity of all pairs of teachers of a scenario."""
    input:
        embeddings=for_job(needed.compared_embeddings),
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.compared_images),
        weights=needed.probe_weights(),
        code=for_job(code_of.compare),
    output:
        dissimilarity=DISSIMILARITY,
    log:
        "results/logs/compare/{scenario}/{embedding}.log",
    benchmark:
        "results/benchmarks/compare/{scenario}/{embedding}.tsv"
    priority: ON_THE_LONGEST_CHAIN
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("compare", "mem_mb"),
        gpu_mb=on_a_card("compare"),
        runtime=planned("compare", "minutes"),
    params:
        task_space=parameter("task_space"),
        device=parameter("device"),
        processor=parameter("processor"),
    script:
        "../scripts/compare.py"


rule group:
    """Group teachers by what they have in common, or by what they have not."""
    input:
        dissimilarity=for_job(needed.dissimilarity),
        code=code("group.py"),
    output:
        groups=GROUPS,
    log:
        "results/logs/group/{scenario}/{grouping}.log",
    benchmark:
        "results/benchmarks/group/{scenario}/{grouping}.tsv"
    priority: ON_THE_LONGEST_CHAIN
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("group", "mem_mb"),
        runtime=planned("group", "minutes"),
    script:
        "../scripts/group.py"
