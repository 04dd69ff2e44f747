"""Draw the frozen episodes of a dataset."""

from tgr.data.episodes import draw_episodes
from tgr.run import job

with job.stage(snakemake) as run:
    run.call(draw_episodes)
