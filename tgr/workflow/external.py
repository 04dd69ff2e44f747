"""What a configuration points to outside of the results: tables of existing models, and the sources of datasets."""

from pathlib import Path

from tgr.config.existing_models import ExistingModel, read_table
from tgr.config.schema import Config
from tgr.data.readers import registry as readers
from tgr.data.readers.base import SourceFiles
from tgr.errors import TgrError
from tgr.workflow import paths


def read_tables(settings: Config) -> dict[str, list[ExistingModel]]:
    """Read the tables of existing models, by pool.

    Raises:
        TgrError: a table is wrong, or has more or fewer rows than its pool has teachers.
    """
    tables = {name: read_table(pool.table) for name, pool in settings.pools.items() if pool.table}
    for name, rows in tables.items():
        pool = settings.pools[name]
        if len(rows) != pool.n_teachers:
            raise TgrError(
                f"pools.{name}.n_teachers: {pool.table} lists {len(rows)} models, not {pool.n_teachers}; "
                "make them equal"
            )
    return tables


def find_sources(settings: Config, resources: Path) -> dict[str, SourceFiles]:
    """Return what each dataset that is no mix is read from.

    Once a dataset is made, its source may be gone: Snakemake keeps what it cannot make again.

    Raises:
        TgrError: the source of a dataset is missing; all that are missing are named.
    """
    sources, problems = {}, []
    for name, dataset in settings.datasets.items():
        if dataset.source == "mix":
            continue
        try:
            sources[name] = readers.find(name, dataset, resources)
        except TgrError as error:
            sources[name] = SourceFiles([Path(str(dataset.path))])
            if not Path(paths.DATASET.format(dataset=name)).exists():
                problems.append(str(error))
    if problems:
        raise TgrError("\n".join(problems))
    return sources
