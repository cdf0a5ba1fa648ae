"""Report the location, hashes, terms and required action of each data set."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

from ntkd_lib.data.catalogue import DATASETS, Dataset, EmbeddedDataset
from ntkd_lib.data.mask_pairs import MaskDataset
from ntkd_lib.data.pictures import PictureDataset
from ntkd_lib.data.registry import DataError, DataLocation, locate
from ntkd_lib.data.settings import DataSettings, read_settings


@dataclass(frozen=True)
class DataRow:
    """The state of one data set, as text."""

    name: str
    found: str  # real, embedded, drawn by this project, stand-in, damaged or missing
    source: str
    size: str  # of the files; a dash if drawn
    hashes: str  # verified, wrong, no official hash, or not the copy we know
    licence: str
    action: str


def rows(*, download: bool = False) -> list[DataRow]:
    """Report on every data set of the catalogue."""
    settings = read_settings()
    return [_row(dataset, settings, download) for dataset in DATASETS.values()]


def _row(dataset: Dataset, settings: DataSettings, download: bool) -> DataRow:
    try:
        located = locate(dataset.name, download=download)
    except DataError as error:
        state, hashes = ("damaged", "wrong") if "damaged" in str(error) else ("missing", "-")
        return DataRow(dataset.name, state, "-", "-", hashes, dataset.licence, str(error).splitlines()[0])
    return DataRow(
        dataset.name,
        _found(dataset, located),
        f"{located.source}: {located.path}" if located.path else located.source,
        _size(located),
        _hashes(dataset, located),
        dataset.licence,
        _action(dataset, located, settings),
    )


def _found(dataset: Dataset, located: DataLocation) -> str:
    if located.kind == "real":
        return "real"
    if isinstance(dataset, EmbeddedDataset):
        return "embedded"
    return "stand-in" if dataset.folder else "drawn"


def _hashes(dataset: Dataset, located: DataLocation) -> str:
    if located.sha256 == dataset.sha256:
        return "verified"
    return "not the copy we know" if isinstance(dataset, EmbeddedDataset) else "no official hash"


def _size(located: DataLocation) -> str:
    if located.path is None:
        return "-"
    files = [located.path, *located.path.rglob("*")]
    return f"{sum(path.stat().st_size for path in files if path.is_file()) / 1e6:.1f} MB"


def _action(dataset: Dataset, located: DataLocation, settings: DataSettings) -> str:
    if located.kind == "real" or isinstance(dataset, EmbeddedDataset) or not dataset.folder:
        return ""
    folder = f"set NTKD_DATA to a folder that holds {dataset.folder}"
    if isinstance(dataset, MaskDataset):
        return f"{folder}, or {dataset.original} with Kaggle's train and train_masks"
    if isinstance(dataset, PictureDataset) or not dataset.downloads:
        return folder
    if settings.offline:
        return f"{folder}, or unset NTKD_OFFLINE to download {dataset.size / 1e6:.0f} MB"
    return f"{folder}; or go on: the next run downloads {dataset.size / 1e6:.0f} MB if there is a network"


def render(table: Sequence[DataRow]) -> str:
    """Write rows as plain text: a table, then licences, then what to do."""
    columns = [field.name for field in fields(DataRow)][:5]
    cells = [columns, *[list(astuple(row)[:5]) for row in table]]
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    lines += ["", "licences", *[f"  {row.name}: {row.licence}" for row in table]]
    actions = [f"  {row.name}: {row.action}" for row in table if row.action]
    return "\n".join([*lines, *(["", "what to do", *actions] if actions else [])])
