"""Fetch the archive of CIFAR-100."""

from tgr import job
from tgr.data.download import CIFAR100, fetch

with job.stage(snakemake) as run:
    fetch(CIFAR100, run.output.archive)
