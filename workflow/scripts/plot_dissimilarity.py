"""Draw the dissimilarity of all pairs of teachers."""

import pandas as pd

from tgr.artifacts import load_tensors, read_json
from tgr.reporting.figures.dissimilarity import draw
from tgr.reporting.save import save
from tgr.run import job

with job.stage(snakemake) as run:
    tensors, about = load_tensors(run.input.dissimilarity)
    keys, groups = about["teachers"], read_json(run.input.groups)
    matrix = pd.DataFrame(tensors["dissimilarity"].double().numpy(), index=keys, columns=keys)
    pools = [key.rsplit("/", 1)[0] for key in groups["teachers"]]
    task_map = pd.DataFrame({"teacher": groups["teachers"], "pool": pools, "group": groups["groups"]})
    figure = draw(matrix, task_map, read_json(run.input.quality), venue=run.params.venue)
    save(figure, run.output.png, run.output.pdf)
