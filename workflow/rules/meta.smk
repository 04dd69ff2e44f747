"""Training of the meta-model by each method."""


rule train:
    """Train one method on the recovered images of a scenario, with one seed."""
    input:
        teachers=for_job(needed.train_teachers),
        recovered=for_job(needed.train_recovered),
        judgements=for_job(needed.train_judgements),
        groups=for_job(needed.task_groups),
        datasets=for_job(needed.real_datasets),
        weights=for_job(needed.train_weights),
        code=for_job(code_of.train),
    output:
        model=directory(MODEL),
    log:
        "results/logs/train/{scenario}/{method}/shot-{shot}/seed-{seed}.log",
    benchmark:
        "results/benchmarks/train/{scenario}/{method}/shot-{shot}/seed-{seed}.tsv"
    priority: ON_THE_LONGEST_CHAIN
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("train", "mem_mb"),
        gpu_mb=on_a_card("train"),
        runtime=planned("train", "minutes"),
    params:
        variant=parameter("variant/{scenario}/{method}"),
        meta_model=parameter("model/{scenario}"),
        meta=parameter("meta"),
        inversions=parameter("inversions/{scenario}/{method}"),
        probe=parameter("method_probe/{scenario}/{method}"),
        device=parameter("device"),
        launches=parameter("launches"),
        processor=parameter("processor"),
    script:
        "../scripts/train.py"
