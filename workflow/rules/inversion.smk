"""Images recovered from the teachers."""


rule invert:
    """Recover images from each teacher of a shard."""
    input:
        teachers=TEACHERS,
        code=code("invert.py"),
    output:
        recovered=directory(RECOVERED),
    log:
        "results/logs/invert/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/invert/{pool}/shard-{shard}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        inversion=parameter("inversion/{pool}"),
        device=parameter("device"),
    script:
        "../scripts/invert.py"
