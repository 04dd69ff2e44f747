"""Draw what selection rules gain."""

import pandas as pd

from tgr.reporting.figures.selection import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    gains, inflation = pd.read_csv(run.input.gains), pd.read_csv(run.input.inflation)
    save(draw(gains, inflation, venue=run.params.venue), run.output.png, run.output.pdf)
