"""Draw an ablation."""

from tgr import job
from tgr.reporting.ablation_figure import write_ablation_figure

with job.stage(snakemake) as run:
    write_ablation_figure(run.input.table, run.output.png, run.output.pdf, run.params.venue)
