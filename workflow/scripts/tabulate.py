"""Write the main table of a scenario."""

from tgr.reporting.tables.main import write_main_table
from tgr.run import job

with job.stage(snakemake) as run:
    write_main_table(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
