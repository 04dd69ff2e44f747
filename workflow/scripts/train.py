"""Train one method on one scenario with one seed."""

from tgr import job
from tgr.config.methods import Methods
from tgr.config.schema import Meta, MetaModel
from tgr.methods.stage import train_method

with job.stage(snakemake) as run:
    method = run.wildcards.method
    train_method(
        method,
        Methods(**{method: run.params.method}).active()[method],
        run.wildcards.scenario,
        MetaModel(**run.params.model),
        Meta(**run.params.meta),
        run.wildcards.shot,
        int(run.wildcards.seed),
        run.input.teachers,
        run.input.recovered,
        run.input.groups,
        run.input.datasets,
        run.output.model,
        run.device,
    )
