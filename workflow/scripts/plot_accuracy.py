"""Draw the accuracy of every method."""

from tgr.evaluation.summary import read_episodes, summarise
from tgr.reporting.figures.accuracy import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    summary = summarise(read_episodes(run.input.evaluations), list(run.params.methods))
    labelled = summary.assign(label=summary["method"].map(run.params.methods))
    save(draw(labelled, headline=run.params.headline, venue=run.params.venue), run.output.png, run.output.pdf)
