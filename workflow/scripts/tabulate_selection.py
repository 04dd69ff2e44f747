"""Write the table of selection rules."""

from tgr import job
from tgr.reporting.tables import write_selection_table

with job.stage(snakemake) as run:
    write_selection_table(
        run.input.evaluations, run.params.methods, run.output.csv, run.output.markdown, run.output.latex
    )
