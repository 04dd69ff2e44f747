"""Recover images from a shard of teachers."""

from tgr.config.teachers import Inversion, TaskSpace
from tgr.inversion.stage import invert_shard
from tgr.run import job

with job.stage(snakemake) as run:
    inversion, probe = Inversion(**run.params.inversion), TaskSpace(**(run.params.probe or {}))
    invert_shard(run.input.teachers, inversion, probe, run.output.recovered, run.device)
