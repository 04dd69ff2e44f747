"""Measure the dissimilarity of all pairs of teachers."""

from importlib import import_module

from tgr.artifacts import save_tensors
from tgr.config.teachers import TaskSpace
from tgr.inversion.recovered import load_recovered
from tgr.pool.teacher import load_teachers
from tgr.run import job
from tgr.task_space.dissimilarity import dissimilarity, load_embeddings

with job.stage(snakemake) as run:
    if run.wildcards.embedding == "fisher":
        keys, embeddings = load_embeddings(run.input.embeddings)
        matrix = dissimilarity(embeddings)
    else:
        teachers = load_teachers(run.input.teachers, run.device)
        recovered = load_recovered(run.input.recovered, run.input.teachers)
        module = import_module(f"tgr.task_space.{run.wildcards.embedding}")
        matrix = module.dissimilarity(recovered, teachers, TaskSpace(**run.params.task_space), run.device)
        keys = [teacher.card.key for teacher in teachers]
    save_tensors(run.output.dissimilarity, {"dissimilarity": matrix}, {"teachers": keys})
