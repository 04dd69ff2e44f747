"""Draw what second teachers add to a base teacher."""

from tgr import job
from tgr.reporting.pairs import write_pairs_figure

with job.stage(snakemake) as run:
    write_pairs_figure(
        run.input.draws, run.params.base, run.output.csv, run.output.png, run.output.pdf, run.params.venue
    )
