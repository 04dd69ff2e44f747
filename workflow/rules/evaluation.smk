"""Evaluation on classes that no teacher has seen."""


rule evaluate:
    """Choose checkpoints by every selection rule and score them on the frozen episodes."""
    input:
        model=for_job(needed.model),
        datasets=for_job(needed.evaluated_datasets),
        episodes=for_job(needed.evaluated_episodes),
        teachers=for_job(needed.selection_teachers),
        recovered=for_job(needed.selection_recovered),
        code=for_job(needed.evaluate_code),
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
        mem_mb=planned("evaluate", "mem_mb"),
        runtime=planned("evaluate", "minutes"),
    params:
        scenario=parameter("scenario/{scenario}"),
        evaluation=parameter("evaluation/{scenario}/{method}"),
        meta=parameter("held_out"),
        device=parameter("device"),
    script:
        "../scripts/evaluate.py"
