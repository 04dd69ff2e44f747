"""Train one method on one scenario with one seed."""

from tgr.config.learning import Meta, MetaModel
from tgr.config.methods.registry import parameters_of
from tgr.methods.stage import train_method
from tgr.run import job

with job.stage(snakemake) as run:
    [(method, values)] = run.params.method.items()
    train_method(
        method,
        run.wildcards.method,
        parameters_of(method, values),
        run.wildcards.scenario,
        MetaModel(**run.params.model),
        Meta(**run.params.meta),
        run.wildcards.shot,
        int(run.wildcards.seed),
        run.input.teachers,
        run.input.recovered,
        run.input.groups or None,
        run.input.datasets,
        run.output.model,
        run.device,
    )
