"""Measure how well students of recovered images alone know the real ones."""

from tgr.inversion.transfer import measure_transfer
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(measure_transfer)
