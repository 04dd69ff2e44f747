"""Draw methods across scenarios."""

from tgr.artifacts import read_frame
from tgr.reporting.figures import sweep
from tgr.reporting.figures.style import style, width
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run, style():
    shown, params = read_frame(run.input.sweep), run.params
    save(sweep._draw(shown, params.methods, params.label, width(params.venue)), run.output.png, run.output.pdf)
