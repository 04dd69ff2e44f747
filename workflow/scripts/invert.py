"""Recover images from a shard of teachers."""

from tgr import job
from tgr.config.schema import Inversion
from tgr.inversion.stage import invert_shard

with job.stage(snakemake) as run:
    invert_shard(run.input.teachers, Inversion(**run.params.inversion), run.output.recovered, run.device)
