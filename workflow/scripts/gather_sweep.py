"""Gather the summaries of a sweep."""

from tgr.analysis.sweep import gather_sweep
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(gather_sweep)
