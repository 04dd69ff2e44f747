"""The stage: from the recovered images of a shard to what a panel of teachers says of each."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from tgr.config.methods.panel import PanelChoice
from tgr.data.transforms import resize
from tgr.errors import TgrError
from tgr.inversion.recovered import Recovered, load_recovered
from tgr.inversion.report import read_report
from tgr.panel.draw import draw_panel
from tgr.panel.judgements import Judgement, save_judgement
from tgr.pool.card import read_cards
from tgr.pool.teacher import Teacher, load_teacher


def judge_shard(
    *,
    scenario: str,
    teachers: Sequence[Path],
    recovered: Sequence[Path],
    owners: Path,
    images: Path,
    choice: PanelChoice,
    judgements: Path,
    device: torch.device,
) -> None:
    """Let a panel judge all images of a shard, and write one judgement for each owner into the folder ``judgements``.

    Members are loaded one after another, so that memory holds one of them and the judgements of the shard.

    Args:
        teachers, recovered: folders of all shards of the scenario's pools, in the same order: who may sit on the panel,
            and which classes of each were recovered.
        owners, images: the shard of teachers whose recovered images are judged, and that of the images.

    Raises:
        TgrError: an input is missing or damaged, or what a member says is not finite.
    """
    folders = [
        (folder, reports, card)
        for folder, reports in zip(teachers, recovered, strict=True)
        for card in read_cards(folder)
    ]
    panel = draw_panel([card for *_, card in folders], choice, scenario)
    shard = load_recovered([images], [owners])
    keep_features = choice.likeness == "features"
    outputs: list[list[Tensor]] = [[] for _ in shard]
    features: list[list[Tensor]] = [[] for _ in shard]
    for index in tqdm(panel, desc="judging", unit="member"):
        folder, reports, card = folders[index]
        member, classes = load_teacher(folder, card, device), read_report(reports, card).classes
        for place, owner in enumerate(shard):
            logits, seen = judge(member, classes, owner)
            outputs[place].append(logits)
            features[place].append(seen if keep_features else seen[..., :0])
    judgements.mkdir(parents=True)
    for owner, said, felt in zip(shard, outputs, features, strict=True):
        judgement = Judgement(
            outputs=torch.cat(said, 2),
            features=torch.cat(felt, 2),
            members=[folders[index][2].key for index in panel],
            n_outputs=[part.shape[2] for part in said],
            n_features=[part.shape[2] for part in felt],
        )
        save_judgement(judgements, owner.card.name, judgement)


def judge(member: Teacher, classes: Sequence[int], owner: Recovered) -> tuple[Tensor, Tensor]:
    """Return what a member says of all images of an owner, plain and, where the owner's classes allow it, mirrored.

    The member sees each image resized from its own size to the member's, not by way of the meta-model's.

    Returns:
        outputs, float32 (n, views, len(classes)), and features, float16 (n, views, d).

    Raises:
        TgrError: one of them is not finite.
    """
    card = member.card
    plain = resize(owner.images, card.image_size)
    views = [plain, plain.flip(3)] if owner.card.flips else [plain]
    said, felt = [], []
    for view in views:
        logits, seen = member.ask(view)
        said.append(logits[:, list(classes)].float())
        felt.append(seen.half())
    outputs, features = torch.stack(said, 1), torch.stack(felt, 1)
    if not torch.isfinite(outputs).all():
        raise TgrError(f"panel: the outputs of {card.key} are not finite; check its weights")
    if not torch.isfinite(features).all():
        raise TgrError(
            f"panel: features of {card.key} exceed float16 ({torch.finfo(torch.half).max:.0f}); "
            "set methods.panel.likeness: outputs"
        )
    return outputs, features
