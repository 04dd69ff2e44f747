"""Gather the numbers of an ablation."""

from tgr.analysis.ablation import write_ablation
from tgr.run import job

with job.stage(snakemake) as run:
    write_ablation(
        run.input.evaluations,
        run.input.models,
        run.params.ablation["variants"],
        run.params.headline,
        run.output.table,
        run.output.conflict,
    )
