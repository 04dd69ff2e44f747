"""Draw loss and gradient conflict over training."""

from tgr.reporting.figures.curves import write_curves_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_curves_figure(run.input.models, run.params.methods, run.output.png, run.output.pdf, run.params.venue)
