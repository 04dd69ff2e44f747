"""Train a shard of teachers."""

from tgr.config.teachers import Pool, Pretrain
from tgr.data.dataset import ImageDataset
from tgr.pool.pretrain import pretrain_shard
from tgr.run import job

with job.stage(snakemake) as run:
    pretrain_shard(
        run.wildcards.pool,
        run.params.members,
        Pool(**run.params.pool),
        Pretrain(**run.params.pretrain),
        ImageDataset.load(run.input.dataset),
        run.output.teachers,
        run.device,
    )
