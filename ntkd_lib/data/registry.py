"""Locate a data set: the user's folder, the cache, an official download, else a labelled stand-in."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

from ntkd_lib.data.catalogue import DATASETS, WEIGHTS, EmbeddedDataset, OfficialDataset, find_dataset
from ntkd_lib.data.download import install, mark_absent, reachable_hosts, recently_absent
from ntkd_lib.data.files import check_folder
from ntkd_lib.data.mask_pairs import MaskDataset, check_masks
from ntkd_lib.data.pictures import PictureDataset, check_pictures
from ntkd_lib.data.settings import DataError, DataSettings, read_settings

LPIPS = WEIGHTS["lpips-alexnet"]
RealDataset = OfficialDataset | PictureDataset | MaskDataset
Source = Literal["NTKD_DATA", "cache", "download", "package", "procedural"]


@dataclass(frozen=True)
class DataLocation:
    """Location and origin of a data set."""

    name: str
    kind: Literal["real", "standin"]  # a stand-in is never evidence for a claim
    source: Source
    path: Path | None  # folder or file; None for drawn data
    sha256: str  # the same wherever the same data lie
    note: str  # one line for the reader; of a stand-in, what it is and why


def locate(name: str, *, download: bool = True) -> DataLocation:
    """Locate a data set, once per process; raise a `DataError` for damaged or unavailable required data."""
    return _locate(name, read_settings(), download)


def forget() -> None:
    """Clear the cache of located data sets."""
    _locate.cache_clear()


@cache
def _locate(name: str, settings: DataSettings, download: bool) -> DataLocation:
    dataset = find_dataset(name)
    if isinstance(dataset, EmbeddedDataset) or not dataset.folder:
        return _standin(name, "")
    located, reason = find_real(dataset, settings, download=download)
    if located:
        return located
    if settings.required:
        raise DataError(f"{name}: DATA=require, but the real data cannot be had: {reason}")
    return _standin(name, f"; the real data were not found: {reason}")


def find_real(
    dataset: RealDataset, settings: DataSettings, *, download: bool
) -> tuple[DataLocation | None, str]:
    """Find real files in the known folders, else download them, else say why each place failed."""
    roots = {"NTKD_DATA": settings.data_root, "cache": settings.cache_root}
    places = [partial(_search, dataset, source, root) for source, root in roots.items()]
    if download and isinstance(dataset, OfficialDataset):
        places.append(partial(_download, dataset, settings))
    reasons = []
    for place in places:
        location = place()
        if isinstance(location, DataLocation):
            return location, ""
        reasons.append(location)
    return None, "; ".join(reasons)


def _search(dataset: RealDataset, source: Source, root: Path | None) -> DataLocation | str:
    """Look for a data set below a folder; return why it is not there."""
    if root is None:
        return f"{source} is not set"
    if isinstance(dataset, MaskDataset):
        return _search_masks(dataset, source, root)
    folder = root / dataset.folder
    if isinstance(dataset, OfficialDataset):
        reason = _official_problem(dataset, source, folder)
    else:
        missing = check_pictures(dataset, folder)
        reason = f"{source} has no {missing}" if missing else ""
    return reason or _real(dataset, source, folder)


def _search_masks(dataset: MaskDataset, source: Source, root: Path) -> DataLocation | str:
    """Find the user's copy, reduced or as published; a broken copy is an error."""
    folder = next((root / n for n in (dataset.folder, dataset.original) if (root / n).is_dir()), None)
    if folder is None:
        return f"{source} has no {dataset.folder}"
    sha256 = check_masks(dataset, folder)
    form = "all hashes right" if sha256 == dataset.sha256 else "as published, reduced here"
    return DataLocation(dataset.name, "real", source, folder, sha256, f"{form}, from {source}")


def _official_problem(dataset: OfficialDataset, source: Source, folder: Path) -> str:
    state = check_folder(dataset, folder)
    if source == "cache":  # reasons are printed in pages: no path of this machine in them
        absent = "" if state.complete else "not in the cache"
        return f"{state.damaged[0].name} in the cache is damaged" if state.damaged else absent
    if state.damaged:  # the user pointed at them: going on without them would hide that they are broken
        remedy = "is damaged (wrong SHA-256); replace or delete it"
        raise DataError(f"{dataset.name}: {state.damaged[0]} {remedy}")
    missing = [f"{dataset.folder}/{name}" if folder.is_dir() else dataset.folder for name in state.missing]
    return f"{source} has no {missing[0]}" if missing else ""


def _real(dataset: OfficialDataset | PictureDataset, source: Source, folder: Path) -> DataLocation:
    note = f"all hashes right, from {source}"
    return DataLocation(dataset.name, "real", source, folder, dataset.sha256, note)


def _download(dataset: OfficialDataset, settings: DataSettings) -> DataLocation | str:
    if not dataset.downloads:
        return "there is no official download of the whole"
    if reason := _no_network(settings):
        return reason
    try:
        return _real(dataset, "download", install(dataset, settings.cache_root))
    except DataError as error:
        return f"download failed: {error}"


def _no_network(settings: DataSettings) -> str:
    if settings.offline:
        return "no download, because NTKD_OFFLINE is set"
    if settings.offline is None and recently_absent(settings.cache_root):
        return "no network"
    official = [dataset for dataset in DATASETS.values() if isinstance(dataset, OfficialDataset)]
    if reachable_hosts(url for dataset in official for file in dataset.downloads for url in file.urls):
        return ""
    mark_absent(settings.cache_root)
    return "no network"


def _standin(name: str, why: str) -> DataLocation:
    from ntkd_lib.data.standins import standin

    small = standin(name)
    label = "stand-in: " if why else ""
    source = "package" if small.path else "procedural"
    return DataLocation(name, "standin", source, small.path, small.sha256, label + small.note + why)


@cache
def find_weights(weights: OfficialDataset = LPIPS) -> tuple[DataLocation | None, str]:
    """Find weights in the user's folder or the cache; None, and the reason, if they are not there."""
    return find_real(weights, read_settings(), download=False)
