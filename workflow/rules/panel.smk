"""What a panel of teachers says of all recovered images."""


rule judge:
    """Let a panel of a scenario's teachers judge each recovered image of a shard once."""
    input:
        teachers=for_job(needed.teachers),
        recovered=for_job(needed.recovered),
        owners=for_job(needed.shard_teachers),
        images=RECOVERED,
        code=for_job(code_of.judge),
    output:
        judgements=directory(JUDGEMENTS),
    log:
        "results/logs/judge/{scenario}/{panel}/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/judge/{scenario}/{panel}/{pool}/shard-{shard}.tsv"
    conda:
        "../../envs/tgr.yaml"
    resources:
        mem_mb=planned("judge", "mem_mb"),
        gpu_mb=on_a_card("judge"),
        runtime=planned("judge", "minutes"),
    params:
        choice=parameter("panel/{scenario}/{panel}"),
        device=parameter("device"),
        processor=parameter("processor"),
    script:
        "../scripts/judge.py"
