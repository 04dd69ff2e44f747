"""Draw accuracy against cost."""

from tgr.reporting.figures.cost import write_cost_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_cost_figure(run.input.cost, run.output.png, run.output.pdf, run.params.venue)
