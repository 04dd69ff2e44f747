"""The package, built as a wheel and used without the repository."""

import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
import torch
import yaml

from tgr import __version__
from tgr.errors import TgrError
from tgr.meta import treatments

REPOSITORY = Path(__file__).parents[2]
STAGE = """
from pathlib import Path
from tgr.config.teachers import Dataset
from tgr.data.readers import registry
from tgr.data.sources import load_dataset
from tgr.plan.units import load_units
import tgr
config = Dataset(source="pack", image_size=8)
dataset = load_dataset("icons", config, registry.find("icons", config))
load_units()
print(Path(tgr.__file__).parent, tuple(dataset.images.shape))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network from a copy of the sources, so that nothing is left beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    copytree(REPOSITORY / "tgr", folder / "source/tgr", ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (folder / "source" / name).write_bytes((REPOSITORY / name).read_bytes())
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "source")], check=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = {file.relative_to(REPOSITORY).as_posix() for file in (REPOSITORY / "tgr").rglob("*") if file.is_file()}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("tgr/")}
    assert held == {name for name in files if "__pycache__" not in name}
    assert wheel.name.startswith(f"tgr-{__version__}-")


def test_package_reads_a_pack_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-c", STAGE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{tmp_path / 'site/tgr'} (8888, 3, 8, 8)"


def test_missing_optimal_transport_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tgr.methods.ota", raising=False)
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(TgrError, match=r"methods\.ota: .* pip install POT"):
        import_module("tgr.methods.ota")


def test_missing_aggregations_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(TgrError, match=r"methods\.tgr\.treatment: 'mgda' .* pip install 'torchjd\[cagrad\]'"):
        treatments.aggregate("mgda", torch.ones(2, 3), torch.Generator())


def test_citation_states_the_version() -> None:
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == __version__
