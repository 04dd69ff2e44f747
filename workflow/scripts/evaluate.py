"""Evaluate one trained model."""

from tgr.evaluation.stage import evaluate
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(evaluate)
