"""How long a method trains: steps times images times passes, counted from its parameters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tgr.config.learning import Meta
from tgr.config.methods.base import MethodParameters
from tgr.config.methods.baselines import Bank, ClassifierTraining, Distil, Realdata, Replay
from tgr.config.methods.peers import BidfMkd, Dro, Free, Ota, Purer
from tgr.config.methods.tgr import Tgr
from tgr.plan.networks import Network
from tgr.plan.units import Units


@dataclass(frozen=True)
class Setting:
    """Where a method trains.

    Attributes:
        network: the meta-model.
        teacher: a teacher of average size.
        meta: the episodic learner.
        k_shot: support images a class.
        n_way: classes of a teacher.
        n_teachers: teachers of the scenario.
    """

    network: Network
    teacher: Network
    meta: Meta
    k_shot: int
    n_way: int
    n_teachers: int
    units: Units

    def episode(self) -> float:
        """Seconds of one training episode."""
        units, meta = self.units, self.meta
        support, query = meta.n_way * self.k_shot, meta.n_way * meta.n_query
        image = units.train(self.network)
        if meta.learner == "anil":
            return (support + query) * image + meta.inner_steps * units.step_overhead / 4
        order = units.second_order if meta.learner == "maml" else 1.0
        return meta.inner_steps * (units.step_overhead + support * image) * order + query * image + units.step_overhead

    def replay(self, steps: int) -> float:
        """Seconds of some outer steps of replay."""
        return steps * self.meta.meta_batch_size * self.episode()

    def steps(self, count: float, images: float, passes: float = 1.0) -> float:
        """Seconds of some steps on the meta-model, each of some images, forward and backward."""
        return count * passes * (self.units.step_overhead + images * self.units.train(self.network))


def training_seconds(parameters: MethodParameters, setting: Setting) -> float:
    """Return the seconds of one core that a method trains, without the job's start."""
    for kind, seconds in COUNTS.items():
        if isinstance(parameters, kind):
            return seconds(parameters, setting)
    return 0.0


def _classifier(config: Any, setting: Setting) -> float:
    return setting.steps(config.steps, config.batch_size)


def _distil(config: Distil, setting: Setting) -> float:
    said = config.steps * config.teachers_per_step * config.batch_size * setting.units.forward(setting.teacher)
    return _classifier(config, setting) + said


def _realdata(config: Realdata, setting: Setting) -> float:
    return setting.replay(config.steps) if config.learner == "replay" else _classifier(config, setting)


def _tgr(config: Tgr, setting: Setting) -> float:
    passes = 2 if config.treatment == "implicit" and config.gradient_lambda > 0 else 1
    group = setting.steps(config.group_steps * config.teachers_per_step, config.images_per_teacher, passes)
    bank = setting.steps(config.bank_steps, ClassifierTraining.model_fields["batch_size"].default)
    return bank + group + setting.replay(config.replay_steps)


def _dro(config: Dro, setting: Setting) -> float:
    passes = 1 + config.ascent_steps
    return _ota(config, setting) + setting.steps(
        config.steps * config.teachers_per_step, config.images_per_teacher, passes
    )


def _ota(config: Ota, setting: Setting) -> float:
    return setting.n_teachers * (config.images * setting.units.forward(setting.teacher) + setting.units.step_overhead)


def _purer(config: Purer, setting: Setting) -> float:
    per_class = setting.k_shot + setting.meta.n_query
    moved = config.teachers_per_step * setting.n_way * per_class * setting.units.invert(setting.teacher)
    return setting.replay(config.steps) + config.steps * moved


def _bidf_mkd(config: BidfMkd, setting: Setting) -> float:
    units, support = setting.units, setting.n_way * config.support_per_class
    images = support + setting.n_way * config.query_per_class
    queries = 1 if config.box == "white" else config.directions
    made = units.generator_image * (config.generator_width / 64) if config.engine == "generator" else 0.0
    inversion = config.inversion_steps * images * (units.invert(setting.teacher) * queries + made)
    distillation = setting.steps(config.kd_steps, support, units.second_order) + setting.steps(1, images - support)
    return config.steps * (inversion + distillation) + setting.replay(config.steps * config.replay_steps)


def _free(config: Free, setting: Setting) -> float:
    units, images = setting.units, setting.n_way * config.images_per_class
    made = units.generator_image * config.generator_width / 64
    adapted = config.adaptation_steps * images * (units.invert(setting.teacher) + made)
    distillation = setting.steps(config.kd_steps, images)
    each = config.teachers_per_step * (adapted + distillation)
    return config.steps * each + setting.replay(config.steps * config.replay_steps)


COUNTS: dict[type[MethodParameters], Callable[[Any, Setting], float]] = {
    Tgr: _tgr,
    Distil: _distil,
    Bank: _classifier,
    Realdata: _realdata,
    Replay: lambda config, setting: setting.replay(config.steps),
    Dro: _dro,
    Ota: _ota,
    Purer: _purer,
    BidfMkd: _bidf_mkd,
    Free: _free,
}
"""Parameters to seconds; a subclass before its base. Other methods train nothing worth counting."""
