"""Gather the trainings of a budget."""

from tgr.analysis.budget import gather_budget
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(gather_budget)
