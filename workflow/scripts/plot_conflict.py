"""Draw gradient conflict over training."""

import pandas as pd

from tgr.reporting.figures.conflict import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    save(draw(pd.read_parquet(run.input.conflict), venue=run.params.venue), run.output.png, run.output.pdf)
