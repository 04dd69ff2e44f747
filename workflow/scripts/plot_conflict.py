"""Draw gradient conflict over training."""

from tgr import job
from tgr.reporting.conflict import write_conflict_figure

with job.stage(snakemake) as run:
    write_conflict_figure(run.input.conflict, run.output.png, run.output.pdf, run.params.venue)
