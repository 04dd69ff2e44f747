"""Measure how well students of recovered images alone know the real ones."""

from tgr.inversion.transfer import measure_transfer
from tgr.run import job

with job.stage(snakemake) as run:
    measure_transfer(
        run.input.recovered,
        run.input.teachers,
        run.input.dataset,
        run.params.n_teachers,
        run.output.transfer,
        run.device,
    )
