"""Check the theory behind the group step on small problems."""

from tgr.analysis.theory import write_theory
from tgr.run import job

with job.stage(snakemake) as run:
    write_theory(run.output.errors, run.output.descents)
