"""Write the page with all accuracies."""

from tgr.reporting.publish.index import write_index
from tgr.run import job

with job.stage(snakemake) as run:
    write_index(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.params.files,
        run.output.html,
    )
