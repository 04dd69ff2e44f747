"""Write the page with all accuracies."""

from tgr import job
from tgr.reporting.index import write_index

with job.stage(snakemake) as run:
    write_index(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.params.files,
        run.output.html,
    )
