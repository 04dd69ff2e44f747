"""The stage: from the teachers of a shard to the images recovered from each."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from tgr import seeds
from tgr.backbones.probe import Probe, load_probe
from tgr.config.teachers import Inversion, TaskSpace
from tgr.inversion import registry
from tgr.inversion.chunks import set_statistics
from tgr.inversion.objective import images_at_a_time, require_finite
from tgr.inversion.recovered import Recovered, save_recovered
from tgr.inversion.report import Recovery
from tgr.pool.card import read_cards
from tgr.pool.teacher import Teacher, load_teacher


def invert_shard(
    *, teachers: Path, inversion: Inversion, probe: TaskSpace | None, recovered: Path, device: torch.device
) -> None:
    """Recover images from each teacher of a shard and write them into the folder ``recovered``.

    Args:
        probe: names the probe network of the prior ``probe_weight``; not read without that prior.

    Raises:
        TgrError: a teacher cannot be read, or its inversion does not stay finite.
    """
    network = load_probe(probe or TaskSpace(), device) if inversion.probe_weight > 0 else None
    recovered.mkdir(parents=True)
    for card in tqdm(read_cards(teachers), desc="inverting", unit="teacher"):
        images = invert_teacher(load_teacher(teachers, card, device), inversion, network)
        save_recovered(recovered, images)
        report = images.report
        tqdm.write(f"{card.key}: agreement {report.agreement:.3f}, loss {report.loss:.3f}, {report.wall_seconds:.1f} s")


def invert_teacher(teacher: Teacher, config: Inversion, probe: Probe | None = None) -> Recovered:
    """Recover images from one teacher; the result depends on its key, the configuration and the probe alone.

    Args:
        probe: the network of the prior ``probe_weight``; needed only with it.

    Raises:
        TgrError: the loss is not finite.
    """
    started = time.perf_counter()
    generator = seeds.torch_generator("inversion", teacher.card.key, config.engine)
    classes = choose_classes(len(teacher.card.classes), config.max_classes, generator)
    labels = torch.tensor(classes).repeat_interleave(config.images_per_class)
    images = registry.get(config.engine)(teacher, labels, config, probe, generator)
    pixels = require_finite(images, teacher).mul(255).round().clamp(0, 255).to(torch.uint8)
    logits, distances, minimised = _run_teacher(teacher, pixels, config)
    targets = labels.to(logits.device)
    loss = nn.functional.cross_entropy(logits, targets)
    if minimised:
        loss = loss + config.bn_weight * torch.stack(minimised).mean()
    report = Recovery(
        name=teacher.card.name,
        pool=teacher.card.pool,
        engine=config.engine,
        images_per_class=config.images_per_class,
        classes=classes,
        agreement=round(float((logits.argmax(1) == targets).float().mean()), 6),
        bn_distance=round(float(torch.stack(distances).mean()), 6) if distances else None,
        loss=round(float(require_finite(loss, teacher)), 6),
        sha256="",
        wall_seconds=round(time.perf_counter() - started, 2),
    )
    positions = torch.arange(len(classes)).repeat_interleave(config.images_per_class)
    return Recovered(pixels.cpu(), positions, logits[:, classes].cpu(), teacher.card, report)


def choose_classes(n_classes: int, max_classes: int, generator: torch.Generator) -> list[int]:
    """Return the classes to recover, ascending: all, or a draw of ``max_classes`` if there are more."""
    if n_classes <= max_classes:
        return list(range(n_classes))
    return sorted(torch.randperm(n_classes, generator=generator)[:max_classes].tolist())


@torch.no_grad()
def _run_teacher(teacher: Teacher, images: Tensor, config: Inversion) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the teacher's logits (n, n_way), the distances of its BatchNorm layers, and those that were minimised."""
    logits: list[Tensor] = []
    chunks = images.split(images_at_a_time(teacher, len(images), config))
    layers = set_statistics(teacher.model, lambda chunk: logits.append(teacher.logits(chunk)), chunks)
    minimised = [layer.distance(relative=config.bn_distance == "relative") for layer in layers]
    return torch.cat(logits), [layer.distance(relative=False) for layer in layers], minimised
