"""Peak memory and seconds of an inversion whose images go through a large teacher in chunks.

Run by hand, from the project's root, with the allocator's settings of the workflow, once for each size of chunks,
because a process has one peak:
MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=4294967296 python -m benchmarks.chunks --memory-mb 1000
The teacher has random weights: neither memory nor time depends on them.
"""

import resource
import time

from benchmarks import timing
from tgr.backbones.registry import build
from tgr.config.teachers import Inversion
from tgr.inversion.objective import images_at_a_time
from tgr.inversion.stage import invert_teacher
from tgr.pool.card import Card
from tgr.pool.teacher import Teacher

PER_CLASS = 30


def make_teacher(architecture: str, image_size: int, n_classes: int) -> Teacher:
    """Return an untrained teacher."""
    card = Card(
        name="teacher-0000",
        pool="large",
        dataset="",
        classes=[str(index) for index in range(n_classes)],
        architecture=architecture,
        width=32,
        image_size=image_size,
        mean=[0.5] * 3,
        std=[0.25] * 3,
        flips=True,
        held_out_accuracy=None,
        train_accuracy=None,
        sha256="",
        wall_seconds=0.0,
    )
    return Teacher(card, build(architecture, n_classes, card.width, image_size, "chunks").eval())


def main() -> None:
    """Measure and print."""
    options = timing.parser(__doc__, rounds=1)
    options.add_argument("--architecture", default="timm:resnet50")
    options.add_argument("--image-size", type=int, default=224)
    options.add_argument("--classes", type=int, default=20)
    options.add_argument("--memory-mb", type=float, default=Inversion().memory_mb)
    options.add_argument("--steps", type=int, default=1)
    arguments = options.parse_args()
    timing.begin(arguments)
    per_class = 2 if arguments.quick else PER_CLASS
    config = Inversion(steps=arguments.steps, images_per_class=per_class, memory_mb=arguments.memory_mb)
    teacher = make_teacher(arguments.architecture, arguments.image_size, arguments.classes)
    n_images = arguments.classes * per_class
    started, wall = time.process_time(), time.perf_counter()
    print(f"{peak_mb():.0f} MB before; {n_images} images, {images_at_a_time(teacher, n_images, config)} at a time")
    invert_teacher(teacher, config)
    seconds = f"{time.process_time() - started:.0f} s of processors, {time.perf_counter() - wall:.0f} s"
    print(f"{peak_mb():.0f} MB at most; start, {arguments.steps} step(s) and report took {seconds}")


def peak_mb() -> float:
    """Return the largest memory of this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
