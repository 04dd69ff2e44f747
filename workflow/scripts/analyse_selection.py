"""Measure selection rules, and what chance does to them."""

from tgr.analysis.selection import write_selection
from tgr.run import job

with job.stage(snakemake) as run:
    write_selection(run.input.evaluations, run.params.methods, run.output.gains, run.output.inflation)
