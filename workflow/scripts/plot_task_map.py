"""Draw the task space on a plane."""

import pandas as pd

from tgr.artifacts import read_json
from tgr.reporting.figures.task_map import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    figure = draw(pd.read_csv(run.input.map), read_json(run.input.quality), venue=run.params.venue)
    save(figure, run.output.png, run.output.pdf)
