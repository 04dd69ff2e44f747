"""Measure the dissimilarity of all pairs of teachers."""

from tgr.run import job
from tgr.task_space.comparison import compare_teachers

with job.stage(snakemake) as run:
    run.call(compare_teachers)
