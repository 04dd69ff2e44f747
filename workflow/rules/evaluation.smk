"""Evaluation on classes that no teacher has seen."""


rule evaluate:
    """Choose checkpoints by every selection rule and score them on the frozen episodes."""
    input:
        model=trained_model,
        datasets=evaluated_datasets(DATASET),
        episodes=evaluated_datasets(EPISODES),
        teachers=all_shards(TEACHERS),
        recovered=all_shards(RECOVERED),
        code=code("evaluate.py"),
    output:
        evaluation=directory(EVALUATION),
    log:
        "results/logs/evaluate/{scenario}/{method}/shot-{shot}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/evaluate/{scenario}/{method}/shot-{shot}/seed-{seed}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        scenario=parameter("scenario/{scenario}"),
        evaluation=parameter("evaluation/{scenario}/{method}"),
        meta=parameter("held_out"),
        device=parameter("device"),
    script:
        "../scripts/evaluate.py"
