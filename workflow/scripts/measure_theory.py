"""Check the theory behind the group step on small problems."""

from tgr.analysis.theory import measure_theory
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(measure_theory)
