"""Write the table of costs of a scenario."""

from tgr.pool.teacher import read_cards
from tgr.reporting.tables.cost import count_images, write_cost_table
from tgr.run import job

with job.stage(snakemake) as run:
    n_teachers = sum(len(read_cards(folder)) for folder in run.input.teachers)
    stages = {
        "teachers": (run.input.teachers, n_teachers, "teacher"),
        "recovered images": (run.input.recovered, count_images(run.input.recovered), "image"),
        "embeddings": (run.input.embeddings, n_teachers, "teacher"),
    }
    write_cost_table(
        stages,
        run.input.models,
        run.params.methods,
        run.wildcards.scenario,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
