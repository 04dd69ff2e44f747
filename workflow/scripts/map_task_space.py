"""Place teachers on a plane, and judge their groups."""

from tgr import job
from tgr.analysis.task_map import write_task_map

with job.stage(snakemake) as run:
    write_task_map(run.input.dissimilarity, run.input.groups, run.input.teachers, run.output.map, run.output.quality)
