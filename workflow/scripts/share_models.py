"""Collect teachers, recovered images and meta-models for others."""

from tgr.reporting.publish.share import share_models
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(share_models)
