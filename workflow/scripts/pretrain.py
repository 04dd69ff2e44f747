"""Train a shard of teachers."""

from tgr.pool.pretrain import pretrain_shard
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(pretrain_shard)
