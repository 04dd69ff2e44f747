"""Write the page with all accuracies."""

from tgr.reporting.publish.index import write_index
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(write_index)
