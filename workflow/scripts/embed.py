"""Embed a shard of teachers in task space."""

from tgr.config.teachers import TaskSpace
from tgr.run import job
from tgr.task_space.fisher import embed_shard

with job.stage(snakemake) as run:
    config = TaskSpace(**run.params.task_space)
    embed_shard(run.input.recovered, run.input.teachers, config, run.output.embeddings, run.device)
