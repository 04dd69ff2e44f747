"""Write the overview of all scenarios."""

from tgr.reporting.tables.overview import write_overview_table
from tgr.run import job

with job.stage(snakemake) as run:
    write_overview_table(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
