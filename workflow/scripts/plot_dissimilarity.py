"""Draw the dissimilarity of all pairs of teachers."""

from tgr.reporting.figures.dissimilarity import write_dissimilarity_figure
from tgr.run import job

with job.stage(snakemake) as run:
    write_dissimilarity_figure(
        run.input.dissimilarity,
        run.input.groups,
        run.input.quality,
        run.output.png,
        run.output.pdf,
        run.params.venue,
    )
