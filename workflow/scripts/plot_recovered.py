"""Draw recovered images above real ones."""

from tgr.reporting.figures.recovered import write_recovered_figure
from tgr.run import job

with job.stage(snakemake) as run:
    figures = run.params.figures
    write_recovered_figure(
        run.input.recovered,
        run.input.teachers,
        run.input.transfers,
        {file.stem: file for file in run.input.datasets},
        run.output.png,
        run.output.pdf,
        figures["n_teachers"],
        figures["images_per_class"],
        figures["venue"],
    )
