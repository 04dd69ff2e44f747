"""Evaluate one trained model."""

from tgr.config.experiments import Scenario
from tgr.config.learning import Evaluation, Meta
from tgr.evaluation.stage import evaluate
from tgr.run import job

with job.stage(snakemake) as run:
    scenario = Scenario(**run.params.scenario)
    evaluate(
        run.wildcards.method,
        run.wildcards.scenario,
        scenario,
        Evaluation(**run.params.evaluation),
        Meta(**run.params.meta),
        int(run.wildcards.shot),
        int(run.wildcards.seed),
        run.input.model,
        dict(zip(scenario.evaluate_on, run.input.datasets, strict=True)),
        dict(zip(scenario.evaluate_on, run.input.episodes, strict=True)),
        run.input.recovered,
        run.input.teachers,
        run.output.evaluation,
        run.device,
    )
