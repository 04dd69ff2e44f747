"""Measure the pools of a scenario."""

from tgr.analysis.pools import measure_pools
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(measure_pools)
