"""Write the table of pools of a scenario."""

from tgr.reporting.tables.pools import write_pools_table
from tgr.run import job

with job.stage(snakemake) as run:
    write_pools_table(
        run.input.teachers,
        run.input.recovered,
        run.input.transfers,
        run.input.models,
        run.wildcards.scenario,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
