"""Measure what stages and methods cost."""

from tgr.analysis.cost import measure_cost
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(measure_cost)
