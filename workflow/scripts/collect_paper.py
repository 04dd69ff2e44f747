"""Collect figures, tables and captions for a paper."""

from tgr.reporting.publish.paper import write_paper
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(write_paper)
