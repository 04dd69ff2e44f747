"""Group the teachers of a scenario."""

from tgr import seeds
from tgr.artifacts import load_tensors, write_json
from tgr.run import job
from tgr.task_space.grouping import group

with job.stage(snakemake) as run:
    tensors, about = load_tensors(run.input.dissimilarity)
    _, kind, n_groups = run.wildcards.grouping.split("-")
    kind, _, level = kind.partition("@")
    seed = seeds.derive("groups", run.wildcards.scenario)
    found = group(tensors["dissimilarity"], kind, int(n_groups), seed, float(level or 1))
    about = {"teachers": about["teachers"], "groups": found.labels, "n_groups": int(n_groups)}
    write_json(run.output.groups, about | found.quality)
