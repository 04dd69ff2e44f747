"""Gather the draws of an experiment with pairs of teachers."""

from tgr.analysis.pair_gains import gather_pairs
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(gather_pairs)
