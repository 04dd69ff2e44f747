"""What names become in tables and figures."""

from collections.abc import Mapping

ROLES: Mapping[str, str] = {
    "floor": " (floor)",
    "yardstick": " (many networks)",
    "real": "",
    "ceiling": " (ceiling)",
    "method": "",
}
PROTOCOLS: Mapping[str, str] = {
    "finetune": "Fine-tuning",
    "finetune_tuned": "Fine-tuning, tuned",
    "ncm": "Nearest class mean",
    "ncm_inductive": "Nearest class mean, inductive",
}
SELECTIONS: Mapping[str, str] = {
    "last": "last",
    "datafree": "data-free",
    "meta_val": "meta-val",
    "oracle": "oracle (sees meta-test)",
}


def method(name: str, methods: Mapping[str, str], role: str = "method") -> str:
    """Return a method's label; a name without one stands for itself."""
    return methods.get(name, name) + ROLES[role]


def in_order(names: set[str], order: Mapping[str, str]) -> list[str]:
    """Return names in the order of a mapping, unknown ones last."""
    known = list(order)
    return sorted(names, key=lambda name: (known.index(name) if name in order else len(known), name))
