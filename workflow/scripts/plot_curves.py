"""Draw loss and gradient conflict over training."""

from tgr.evaluation.curves import read_curves
from tgr.reporting.figures.curves import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    save(draw(read_curves(run.input.models), venue=run.params.venue), run.output.png, run.output.pdf)
