"""Draw gradient conflict over training."""

from tgr.reporting.figures.conflict import write_conflict_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_conflict_figure(run.input.conflict, run.output.png, run.output.pdf, run.params.venue)
