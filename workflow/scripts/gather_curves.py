"""Gather the training curves of a scenario."""

from tgr.analysis.curves import gather_curves
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(gather_curves)
