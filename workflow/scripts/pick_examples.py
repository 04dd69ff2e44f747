"""Pick examples of recovered images."""

from tgr.analysis.example_picking import pick_examples
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(pick_examples)
