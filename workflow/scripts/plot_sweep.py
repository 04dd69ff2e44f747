"""Draw methods across scenarios."""

from tgr.reporting.figures.sweep import write_sweep_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_sweep_figure(
        run.input.evaluations,
        run.params.sweep["scenarios"],
        run.params.sweep["methods"],
        run.params.sweep["label"],
        run.params.headline,
        run.output.csv,
        run.output.png,
        run.output.pdf,
        run.params.venue,
    )
