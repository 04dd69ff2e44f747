"""Draw loss and gradient conflict over training."""

from tgr import job
from tgr.reporting.curves import write_curves_figure

with job.stage(snakemake) as run:
    write_curves_figure(run.input.models, run.params.methods, run.output.png, run.output.pdf, run.params.venue)
