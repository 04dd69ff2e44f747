"""Draw the accuracy of every method."""

from tgr.reporting.figures.accuracy import write_accuracy_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_accuracy_figure(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.output.png,
        run.output.pdf,
        run.params.venue,
    )
