"""Draw the dissimilarity of all pairs of teachers."""

from tgr import job
from tgr.reporting.dissimilarity import write_dissimilarity_figure

with job.stage(snakemake) as run:
    write_dissimilarity_figure(
        run.input.dissimilarity,
        run.input.groups,
        run.input.quality,
        run.output.png,
        run.output.pdf,
        run.params.venue,
    )
