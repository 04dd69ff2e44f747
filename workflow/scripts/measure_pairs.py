"""Measure pairs of teachers for one draw."""

from tgr.analysis.pairs import Draw, Kind, Learner, measure_draw
from tgr.backbones.probe import load_probe
from tgr.config.learning import Evaluation, Meta, MetaModel
from tgr.config.teachers import Inversion, Pool, Pretrain, TaskSpace
from tgr.data.dataset import ImageDataset
from tgr.evaluation.tasks import real_tasks
from tgr.run import job

with job.stage(snakemake) as run:
    params = run.params.pairs
    dataset = ImageDataset.load(run.input.dataset)
    evaluation, meta, shot = Evaluation(**params["evaluation"]), Meta(**params["meta"]), params["shot"]
    model = MetaModel(**params["model"], image_size=dataset.image_size)
    kinds = {
        name: Kind(Pool(**kind["pool"]), Pretrain(**kind["pretrain"]), Inversion(**kind["inversion"]))
        for name, kind in params["kinds"].items()
    }
    tasks = real_tasks(run.input.dataset, run.input.episodes, evaluation, shot, model.image_size)["meta_test"]
    k_shot = meta.k_shot if isinstance(meta.k_shot, int) else shot
    measure_draw(
        Draw(run.wildcards.pairs, int(run.wildcards.draw), dataset, run.device),
        kinds,
        params["base"],
        Learner(model, meta, k_shot, params["steps"], tasks, evaluation.bn_mode),
        run.output.rows,
        load_probe(TaskSpace(**params["probe"]), run.device) if params["probe"] else None,
    )
