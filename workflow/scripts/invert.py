"""Recover images from a shard of teachers."""

from tgr import job
from tgr.config.teachers import Inversion, TaskSpace
from tgr.inversion.stage import invert_shard

with job.stage(snakemake) as run:
    inversion, probe = Inversion(**run.params.inversion), TaskSpace(**(run.params.probe or {}))
    invert_shard(run.input.teachers, inversion, probe, run.output.recovered, run.device)
