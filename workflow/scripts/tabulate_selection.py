"""Write the table of selection rules."""

from tgr.reporting.tables.main import write_selection_table
from tgr.run import job

with job.stage(snakemake) as run:
    write_selection_table(
        run.input.evaluations, run.params.methods, run.output.csv, run.output.markdown, run.output.latex
    )
