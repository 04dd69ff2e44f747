"""Place teachers on a plane, and judge their groups."""

from tgr.analysis.task_map import map_task_space
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(map_task_space)
