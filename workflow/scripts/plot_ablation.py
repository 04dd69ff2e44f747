"""Draw an ablation."""

from tgr.reporting.figures.ablation import write_ablation_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_ablation_figure(run.input.table, run.output.png, run.output.pdf, run.params.venue)
