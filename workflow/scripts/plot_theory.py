"""Draw the theory behind the group step, in numbers."""

import pandas as pd

from tgr.reporting.figures.theory import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    errors, descents = pd.read_csv(run.input.errors), pd.read_csv(run.input.descents)
    save(draw(errors, descents, venue=run.params.venue), run.output.png, run.output.pdf)
