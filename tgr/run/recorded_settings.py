"""Were the results of a run made with the settings of a configuration? Their records say with which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tgr.artifacts import PROVENANCE
from tgr.config.base import Section
from tgr.config.schema import Config
from tgr.run.provenance import read_record
from tgr.run.verify import RESULTS


def find_other_settings(settings: Config, run: Path) -> str | None:
    """Name a result that was made with other settings than a configuration has; None if there is none.

    Raises:
        TgrError: a record is damaged.
    """
    for record, key, expected in _expect(settings, run / RESULTS):
        found = read_record(record).get("params", {}).get(key)
        if found != expected:
            changed = _first_difference(expected, found)
            return f"{record.parent}: was made with another value of {key}{changed} than the configuration has"
    return None


def _expect(settings: Config, results: Path) -> Iterator[tuple[Path, str, Any]]:
    """Yield the records of results before the tables, a key of their parameters, and its value by the configuration."""
    meta = _dump(settings.meta)
    for scenario in settings.scenarios:
        for name, variant in settings.all_variants(scenario).items():
            for record in sorted((results / "models" / scenario / name).glob(f"*/*/{PROVENANCE}")):
                yield record, "variant", {variant.method: _dump(variant.parameters)}
                yield record, "meta", meta
            evaluation = _dump(settings.evaluation, exclude={"shots", "seeds", "n_students"})
            evaluation["protocols"] = [each for each in evaluation["protocols"] if each in variant.parameters.protocols]
            for record in sorted((results / "evaluation" / scenario / name).glob(f"*/*/{PROVENANCE}")):
                yield record, "evaluation", evaluation
    for pool in settings.pools:
        for record in sorted((results / "recovered" / pool).glob(f"*/{PROVENANCE}")):
            yield record, "inversion", _dump(settings.inversion_of(pool))
    for pool in settings.trained_pools:
        for record in sorted((results / "teachers" / pool).glob(f"*/{PROVENANCE}")):
            yield record, "pretrain", _dump(settings.pretrain_of(pool))


def _dump(section: Section, **options: Any) -> dict[str, Any]:
    return section.model_dump(mode="json", **options)


def _first_difference(expected: Any, found: Any) -> str:
    """Return the path to the first key that differs, e.g. ``.tgr.group_steps``."""
    if not (isinstance(expected, dict) and isinstance(found, dict)):
        return ""
    for key in [*expected, *found]:
        if expected.get(key) != found.get(key):
            return f".{key}{_first_difference(expected.get(key), found.get(key))}"
    return ""
