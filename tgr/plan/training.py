"""Where a method trains, and how long the parts of its training take there; the cards of the methods add them up."""

from dataclasses import dataclass

from tgr.config.learning import Meta
from tgr.plan.networks import Network
from tgr.plan.units import Units


@dataclass(frozen=True)
class Setting:
    """Where a method trains: what `tgr.config.methods.setting` asks for.

    Attributes:
        network: the meta-model.
        teacher: a teacher of average size.
        meta: the episodic learner.
        k_shot: support images a class.
        n_way: classes of a teacher.
        n_teachers: teachers of the scenario.
        inversion: seconds of recovering one image, mean over the teachers.
        pixels: height of the meta-model's images.
    """

    network: Network
    teacher: Network
    meta: Meta
    k_shot: int
    n_way: int
    n_teachers: int
    inversion: float
    pixels: int
    units: Units

    @property
    def n_query(self) -> int:
        """Query images a class."""
        return self.meta.n_query

    @property
    def step_overhead(self) -> float:
        """Seconds of any step, however few its images."""
        return self.units.step_overhead

    @property
    def second_order(self) -> float:
        """How many times longer a step takes whose gradient is itself differentiated."""
        return self.units.second_order

    def episode(self) -> float:
        """Seconds of one training episode."""
        units, meta = self.units, self.meta
        support, query = meta.n_way * self.k_shot, meta.n_way * meta.n_query
        image = units.train(self.network)
        if meta.learner == "protonet":
            return (support + query) * image + units.step_overhead
        if meta.learner == "anil":
            return (support + query) * image + meta.inner_steps * units.step_overhead / 4
        order = units.second_order if meta.learner == "maml" else 1.0
        return meta.inner_steps * (units.step_overhead + support * image) * order + query * image + units.step_overhead

    def replay(self, steps: float) -> float:
        """Seconds of some outer steps of replay."""
        return steps * self.meta.meta_batch_size * self.episode()

    def steps(self, count: float, images: float, passes: float = 1.0) -> float:
        """Seconds of some steps on the meta-model, each of some images, forward and backward."""
        return count * passes * (self.units.step_overhead + images * self.units.train(self.network))

    def classified(self, images: float) -> float:
        """Seconds of a teacher's forward pass."""
        return images * self.units.forward(self.teacher)

    def inverted(self, images: float) -> float:
        """Seconds of one step on images that are optimised through a teacher."""
        return images * self.units.invert(self.teacher) + self.units.invert_overhead

    def recovered(self, images: float) -> float:
        """Seconds of recovering images of a teacher by its pool's inversion, from start to end."""
        return images * self.inversion

    def generated(self, images: float, width: int) -> float:
        """Seconds of one step on images that come from a generator of some channels, without its teacher."""
        return images * self.units.generate(width, self.pixels)
