"""Summarise the evaluations of a scenario."""

from tgr.evaluation.summary import write_summary
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(write_summary)
