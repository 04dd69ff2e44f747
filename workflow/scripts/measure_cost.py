"""Set accuracy beside cost."""

from tgr.analysis.cost import write_cost
from tgr.run import job

with job.stage(snakemake) as run:
    write_cost(
        run.input.evaluations,
        run.input.models,
        {"teachers": run.input.teachers, "recovered": run.input.recovered, "task_space": run.input.task_space},
        run.params.needs,
        run.params.methods,
        run.params.headline,
        run.output.cost,
    )
