"""Let a panel of teachers judge the recovered images of a shard."""

from tgr.panel.stage import judge_shard
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(judge_shard)
