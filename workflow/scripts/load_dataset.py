"""Read a dataset of any source."""

from tgr.data.sources import store_dataset
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(store_dataset, name=run.wildcards.dataset)
