"""Embed a shard of teachers in task space."""

from tgr.run import job
from tgr.task_space.fisher import embed_shard

with job.stage(snakemake) as run:
    run.call(embed_shard)
