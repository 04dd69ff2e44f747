"""Take a shard of existing models into a pool."""

from tgr.pool.existing_models import import_shard
from tgr.run import job

with job.stage(snakemake) as run:
    import_shard(run.wildcards.pool, run.input.table, run.params.members, run.output.teachers)
