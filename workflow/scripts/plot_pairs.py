"""Draw what second teachers add to a base teacher."""

from tgr.reporting.figures.pairs import write_pairs_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_pairs_figure(
        run.input.draws, run.params.base, run.output.csv, run.output.png, run.output.pdf, run.params.venue
    )
