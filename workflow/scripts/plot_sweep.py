"""Draw methods across scenarios."""

import pandas as pd

from tgr.evaluation.summary import headline_rows, over_all_datasets, summarise_scenarios
from tgr.reporting.figures.sweep import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    sweep = run.params.sweep
    summaries = summarise_scenarios(run.input.evaluations, dict.fromkeys(sweep["scenarios"], sweep["methods"]))
    rows = [over_all_datasets(table).assign(value=sweep["scenarios"][name]) for name, table in summaries.items()]
    shown = headline_rows(pd.concat(rows, ignore_index=True), run.params.headline)
    shown.to_csv(run.output.csv, index=False)
    save(draw(shown, label=sweep["label"], venue=run.params.venue), run.output.png, run.output.pdf)
