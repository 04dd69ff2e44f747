"""Take a shard of existing models into a pool."""

from tgr.pool.existing_models import import_shard
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(import_shard)
