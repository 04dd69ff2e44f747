"""Write the table of pools of a scenario."""

from tgr import job
from tgr.reporting.pools import write_pools_table

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
