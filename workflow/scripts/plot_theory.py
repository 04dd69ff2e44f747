"""Draw the theory behind the group step, in numbers."""

from tgr import job
from tgr.reporting.theory import write_theory_figure

with job.stage(snakemake) as run:
    write_theory_figure(run.input.errors, run.input.descents, run.output.png, run.output.pdf, run.params.venue)
