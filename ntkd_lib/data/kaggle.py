"""Fetch the user's own copy of a Kaggle competition's data, with the user's own account.

Run as ``python -m ntkd_lib.data.kaggle``; needs ``pip install 'ntkd[kaggle]'``, an account that has accepted
the competition's rules, and Kaggle's API token.
"""

import zipfile
from pathlib import Path

import click

from ntkd_lib.data.catalogue import CARVANA
from ntkd_lib.data.mask_pairs import MaskDataset, find_pairs
from ntkd_lib.data.settings import DataError, read_settings

ARCHIVES = ("train.zip", "train_masks.zip")
LIMIT = 1 << 30  # bytes that an archive may unpack to


def fetch_copy(dataset: MaskDataset, cache_root: Path) -> Path:
    """Download the two archives of a competition and unpack them into the cache."""
    try:
        import kagglehub
    except ImportError:
        raise DataError("kagglehub is not installed; pip install 'ntkd[kaggle]'") from None
    folder = cache_root / dataset.original
    for archive in ARCHIVES:
        try:
            path = Path(kagglehub.competition_download(dataset.original, path=archive))
        except Exception as error:  # the client raises errors of several libraries
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{dataset.name}: Kaggle gave no {archive}: {reason}") from None
        unpack_archive(path, folder)
    find_pairs(dataset, folder)
    return folder


def unpack_archive(archive: Path, into: Path) -> None:
    """Unpack a zip file, only if every member lies in a folder of the archive's own name."""
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [name for name in packed.namelist() if not name.startswith("__MACOSX")]
            strange = next((n for n in members if Path(n).parts[0] != archive.stem or ".." in n), None)
            if strange:
                raise DataError(f"{archive.name} is refused: member {strange!r} points outside")
            size = sum(member.file_size for member in packed.infolist())
            if size > LIMIT:
                raise DataError(f"{archive.name} is refused: it holds {size:,} bytes, {LIMIT:,} are allowed")
            packed.extractall(into, members)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{archive.name} cannot be unpacked: {error}") from None


@click.command()
def main() -> None:
    """Fetch Carvana into the cache."""
    click.echo(f"terms: {CARVANA.licence}")
    try:
        click.echo(f"carvana is at {fetch_copy(CARVANA, read_settings().cache_root)}")
    except DataError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
