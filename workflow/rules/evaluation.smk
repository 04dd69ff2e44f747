"""Evaluation on classes that no teacher has seen."""


rule evaluate:
    """Choose checkpoints by every selection rule and score them on the frozen episodes."""
    input:
        model=for_job(needed.model),
        datasets=for_job(needed.evaluated_datasets),
        episodes=for_job(needed.evaluated_episodes),
        teachers=for_job(needed.evaluation_teachers),
        recovered=for_job(needed.selection_recovered),
        code=for_job(code_of.evaluate),
    output:
        folder=directory(EVALUATION),
    log:
        "results/logs/evaluate/{scenario}/{method}/shot-{shot}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/evaluate/{scenario}/{method}/shot-{shot}/seed-{seed}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("evaluate", "mem_mb"),
        gpu_mb=on_a_card("evaluate"),
        runtime=planned("evaluate", "minutes"),
    params:
        evaluate_on=parameter("evaluate_on/{scenario}"),
        evaluation=parameter("evaluation/{scenario}/{method}"),
        held_out_per_class=parameter("held_out_per_class"),
        device=parameter("device"),
        precision=parameter("precision"),
        launches=parameter("launches"),
        processor=parameter("processor"),
    script:
        "../scripts/evaluate.py"
