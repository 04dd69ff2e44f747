"""Train one method on one scenario with one seed."""

from tgr.methods.stage import train_method
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(train_method)
