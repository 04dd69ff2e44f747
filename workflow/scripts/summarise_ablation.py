"""Gather the numbers of an ablation."""

from tgr.analysis.ablation import summarise_ablation
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(summarise_ablation)
