"""Place teachers on a plane, and judge their groups."""

from tgr.analysis.task_map import write_task_map
from tgr.run import job

with job.stage(snakemake) as run:
    write_task_map(run.input.dissimilarity, run.input.groups, run.input.teachers, run.output.map, run.output.quality)
