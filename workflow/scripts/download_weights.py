"""Fetch weights of an existing model."""

from tgr.pool.fetch import fetch_weights
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(fetch_weights, sha256=run.wildcards.weights.partition(".")[0], weights=run.output.weights)
