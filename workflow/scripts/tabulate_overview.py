"""Write the overview of all scenarios."""

from tgr import job
from tgr.reporting.overview import write_overview_table

with job.stage(snakemake) as run:
    write_overview_table(
        run.input.evaluations,
        run.params.methods,
        run.params.headline,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
