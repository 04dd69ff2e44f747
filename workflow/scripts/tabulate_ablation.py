"""Write the table of an ablation."""

from tgr import job
from tgr.reporting.ablation import write_ablation_table

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
