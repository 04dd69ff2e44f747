"""Images recovered from the teachers."""


rule invert:
    """Recover images from each teacher of a shard."""
    input:
        teachers=for_job(needed.shard_teachers),
        weights=for_job(needed.invert_weights),
        code=for_job(code_of.invert),
    output:
        recovered=directory(RECOVERED),
    log:
        "results/logs/invert/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/invert/{pool}/shard-{shard}.tsv"
    priority: ON_THE_LONGEST_CHAIN
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("invert", "mem_mb"),
        gpu_mb=on_a_card("invert"),
        runtime=planned("invert", "minutes"),
    params:
        inversion=parameter("inversion/{pool}"),
        probe=parameter("probe/{pool}"),
        device=parameter("device"),
        precision=parameter("precision"),
        launches=parameter("launches"),
        processor=parameter("processor"),
    script:
        "../scripts/invert.py"


rule measure_transfer:
    """Measure how well students of recovered images alone know the real ones."""
    input:
        teachers=for_job(needed.pool_teachers),
        recovered=for_job(needed.pool_recovered),
        dataset=for_job(needed.pool_dataset),
        code=for_job(code_of.measure_transfer),
    output:
        transfer=TRANSFER,
    log:
        "results/logs/measure_transfer/{pool}.log",
    benchmark:
        "results/benchmarks/measure_transfer/{pool}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("measure_transfer", "mem_mb"),
        gpu_mb=on_a_card("measure_transfer"),
        runtime=planned("measure_transfer", "minutes"),
    params:
        n_teachers=parameter("n_students"),
        device=parameter("device"),
        processor=parameter("processor"),
    script:
        "../scripts/measure_transfer.py"
