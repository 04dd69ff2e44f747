"""Draw what selection rules gain."""

from tgr import job
from tgr.reporting.selection import write_selection_figure

with job.stage(snakemake) as run:
    write_selection_figure(run.input.gains, run.input.inflation, run.output.png, run.output.pdf, run.params.venue)
