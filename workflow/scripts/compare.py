"""Measure the dissimilarity of all pairs of teachers."""

from tgr import job
from tgr.artifacts import save_tensors
from tgr.task_space.dissimilarity import dissimilarity, load_embeddings

with job.stage(snakemake) as run:
    teachers, embeddings = load_embeddings(run.input.embeddings)
    save_tensors(run.output.dissimilarity, {"dissimilarity": dissimilarity(embeddings)}, {"teachers": teachers})
