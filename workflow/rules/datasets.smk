"""Datasets of any source in one form, and the frozen episodes that all methods share."""


rule load_dataset:
    """Read a dataset, or unite several, and resize it."""
    input:
        source=source_files,
        code=code("load_dataset.py"),
    output:
        dataset=DATASET,
    log:
        "results/logs/load_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/load_dataset/{dataset}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        dataset=parameter("dataset/{dataset}"),
    script:
        "../scripts/load_dataset.py"


rule draw_episodes:
    """Draw the episodes of meta-val and meta-test once; all methods share them."""
    input:
        dataset=DATASET,
        code=code("draw_episodes.py"),
    output:
        episodes=EPISODES,
    log:
        "results/logs/draw_episodes/{dataset}/shot-{shot}.log",
    benchmark:
        "results/benchmarks/draw_episodes/{dataset}/shot-{shot}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        episodes=parameter("episodes/{dataset}"),
    script:
        "../scripts/draw_episodes.py"
