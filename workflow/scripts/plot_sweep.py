"""Draw methods across scenarios."""

from tgr import job
from tgr.reporting.sweep import write_sweep_figure

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
