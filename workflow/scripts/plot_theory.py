"""Draw the theory behind the group step, in numbers."""

from tgr.reporting.figures.theory import write_theory_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_theory_figure(run.input.errors, run.input.descents, run.output.png, run.output.pdf, run.params.venue)
