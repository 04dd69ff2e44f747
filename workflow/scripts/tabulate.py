"""Write the main table of a scenario."""

from tgr import job
from tgr.reporting.tables import write_main_table

with job.stage(snakemake) as run:
    write_main_table(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
