"""Draw what selection rules gain."""

from tgr.reporting.figures.selection import write_selection_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_selection_figure(run.input.gains, run.input.inflation, run.output.png, run.output.pdf, run.params.venue)
