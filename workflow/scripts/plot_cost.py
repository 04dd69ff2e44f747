"""Draw accuracy against cost."""

import pandas as pd

from tgr.reporting.figures.cost import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    save(draw(pd.read_csv(run.input.cost), venue=run.params.venue), run.output.png, run.output.pdf)
