"""Collect figures, tables and captions for a paper."""

from pathlib import Path

from tgr.reporting.publish.paper import Caption, write_paper
from tgr.run import job

with job.stage(snakemake) as run:
    about, files = run.params.paper, {file.name: file for file in run.input.captions}
    write_paper(
        run.input.files,
        {Path(figure): Caption(files[name], wildcards) for figure, (name, wildcards) in about["captions"].items()},
        about["methods"],
        about["bibliography"],
        about["settings"],
        about["command"],
        run.output.folder,
        run.output.archive,
    )
