"""Measure selection rules, and what chance does to them."""

from tgr import job
from tgr.analysis.selection import write_selection

with job.stage(snakemake) as run:
    write_selection(run.input.evaluations, run.params.methods, run.output.gains, run.output.inflation)
