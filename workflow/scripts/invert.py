"""Recover images from a shard of teachers."""

from tgr.inversion.stage import invert_shard
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(invert_shard)
