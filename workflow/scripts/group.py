"""Group the teachers of a scenario."""

from tgr.run import job
from tgr.task_space.grouping import group_teachers

with job.stage(snakemake) as run:
    run.call(group_teachers)
