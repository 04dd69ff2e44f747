"""Where teachers stand to each other."""


rule embed:
    """Embed each teacher of a shard by the Fisher information of a probe on its recovered images."""
    input:
        teachers=TEACHERS,
        recovered=RECOVERED,
        weights=probe_weights,
        code=code("embed.py"),
    output:
        embeddings=directory(EMBEDDINGS),
    log:
        "results/logs/embed/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/embed/{pool}/shard-{shard}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        task_space=parameter("embedding"),
        device=parameter("device"),
    script:
        "../scripts/embed.py"


rule compare:
    """Measure the dissimilarity of all pairs of teachers of a scenario."""
    input:
        embeddings=all_shards(EMBEDDINGS),
        code=code("compare.py"),
    output:
        dissimilarity=DISSIMILARITY,
    log:
        "results/logs/compare/{scenario}.log",
    benchmark:
        "results/benchmarks/compare/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    script:
        "../scripts/compare.py"


rule group:
    """Group dissimilar teachers."""
    input:
        dissimilarity=DISSIMILARITY,
        code=code("group.py"),
    output:
        groups=GROUPS,
    log:
        "results/logs/group/{scenario}.log",
    benchmark:
        "results/benchmarks/group/{scenario}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        n_groups=parameter("n_groups"),
    script:
        "../scripts/group.py"
