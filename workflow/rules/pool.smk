"""The pool of teachers."""


rule pretrain:
    """Train a shard of teachers, each on classes of its own."""
    input:
        dataset=teacher_dataset,
        code=code("pretrain.py"),
    output:
        teachers=directory(TEACHERS),
    log:
        "results/logs/pretrain/{pool}/shard-{shard}.log",
    benchmark:
        "results/benchmarks/pretrain/{pool}/shard-{shard}.tsv"
    conda:
        "../../envs/tgr.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        members=shard_members,
        pool=parameter("pool/{pool}"),
        pretrain=parameter("pretrain/{pool}"),
        device=parameter("device"),
    script:
        "../scripts/pretrain.py"
