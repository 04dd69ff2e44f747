"""Put claims about trainings to the test."""

from tgr.analysis.contrasts import measure_contrasts
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(measure_contrasts)
