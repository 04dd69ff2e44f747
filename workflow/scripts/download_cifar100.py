"""Fetch the archive of CIFAR-100."""

from tgr.data.download import CIFAR100, fetch
from tgr.run import job

with job.stage(snakemake) as run:
    fetch(CIFAR100, run.output.archive)
