"""Group dissimilar teachers."""

from tgr import job, seeds
from tgr.artifacts import load_tensors, write_json
from tgr.task_space.grouping import group

with job.stage(snakemake) as run:
    tensors, about = load_tensors(run.input.dissimilarity)
    n_groups = run.params.n_groups
    found = group(tensors["dissimilarity"], n_groups, seeds.derive("groups", run.wildcards.scenario))
    write_json(
        run.output.groups,
        {"teachers": about["teachers"], "groups": found.labels, "n_groups": n_groups} | found.quality,
    )
