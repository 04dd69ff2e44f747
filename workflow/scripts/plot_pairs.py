"""Draw what second teachers add to a base teacher."""

import pandas as pd

from tgr.analysis.pairs import gains
from tgr.reporting.figures.pairs import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    pairs = pd.concat([pd.read_parquet(file) for file in run.input.draws], ignore_index=True)
    gains(pairs).to_csv(run.output.csv, index=False)
    save(draw(pairs, base=run.params.base, venue=run.params.venue), run.output.png, run.output.pdf)
