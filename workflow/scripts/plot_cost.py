"""Draw accuracy against cost."""

from tgr import job
from tgr.reporting.cost_figure import write_cost_figure

with job.stage(snakemake) as run:
    write_cost_figure(run.input.cost, run.output.png, run.output.pdf, run.params.venue)
