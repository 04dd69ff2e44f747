"""Write the table of an ablation."""

from tgr.reporting.tables.ablation import write_ablation_table
from tgr.run import job

with job.stage(snakemake) as run:
    about = run.params.ablation
    write_ablation_table(
        run.input.evaluations,
        run.input.models,
        about["variants"],
        about["caption"],
        run.params.headline,
        run.output.csv,
        run.output.markdown,
        run.output.latex,
    )
