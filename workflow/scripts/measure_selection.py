"""Measure selection rules, and what chance does to them."""

from tgr.analysis.selection import measure_selection
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(measure_selection)
