"""Draw the task space on a plane."""

from tgr.reporting.figures.task_map import write_task_map_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_task_map_figure(run.input.map, run.input.quality, run.output.png, run.output.pdf, run.params.venue)
