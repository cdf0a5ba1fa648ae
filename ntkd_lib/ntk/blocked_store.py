"""Blocks of a kernel on disk, in the zarr format; interrupted runs resume."""

from importlib import import_module
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from ntkd_lib.imports import extra

with extra("cluster"):
    import dask
    import dask.array as da
    from dask.delayed import Delayed

_CHECKSUM = 4  # bytes that the checksum adds to each block's file
_LARGEST_GRAPH = "1TB"  # the samples are in the graph on purpose, and it is sent once


def save_blocks(array: da.Array, folder: str | Path) -> da.Array:
    """Compute the missing blocks of an array and save them in a folder.

    Every block is one file with a checksum, and appears in one step: a run that is killed loses the blocks
    that it was computing, and the next one computes those alone; a missing transpose is read from the block
    above the diagonal. The folder is a plain zarr array.

    Raises:
        ValueError: A folder of another array, or of something else.
        RuntimeError: Workers that do not see the folder.
    """
    folder = Path(folder).absolute()
    _prepare(array, folder)
    missing = _missing(array, folder)
    blocks = _with_saved_blocks(array, folder, missing).to_delayed(optimize_graph=False)
    write = dask.delayed(_write, pure=False)
    import_module("distributed.config")  # loaded inside, its defaults would leave with the setting
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGEST_GRAPH}):
        _run([write(str(folder), place, blocks[place]) for place in missing])
    if missing := _missing(array, folder):
        where = "were written elsewhere; give a folder that all workers see"
        raise RuntimeError(f"folder {folder.name!r}: {len(missing)} blocks {where}")
    return da.from_zarr(str(folder))


def _run(writes: list[Delayed]) -> None:
    client = getattr(dask.base.get_scheduler(), "__self__", None)
    if client is None:
        dask.compute(*writes)
        return
    from distributed import as_completed

    # a future is let go as soon as its block is on disk: a worker that dies later does not bring it back
    for future in as_completed(client.compute(writes)):
        future.result()


def _prepare(array: da.Array, folder: Path) -> None:
    """Create the folder, or refuse one with other contents."""
    with extra("cluster"):
        import zarr

    sizes = _block_shape(array)
    if not folder.exists() or all(path.suffix == ".partial" for path in folder.iterdir()):
        zarr.create_array(
            str(folder),
            shape=array.shape,
            chunks=sizes,
            dtype=array.dtype,
            fill_value=np.nan if array.dtype.kind == "f" else 0,  # a block that is not written reads so
            compressors=[zarr.codecs.Crc32cCodec()],  # a kernel's digits do not compress
            attributes={"name": array.name},
        )
    elif not (folder / "zarr.json").is_file():
        raise ValueError(f"folder {folder.name!r}: holds something else; give a new or an empty folder")
    elif (name := zarr.open_array(str(folder), mode="r").attrs.get("name")) != array.name:
        change = "another network, other samples, settings or code; give another folder"
        raise ValueError(f"folder {folder.name!r}: holds {name}, here is {array.name}: {change}")


def _block_shape(array: da.Array) -> tuple[int, ...]:
    for axis, sizes in enumerate(array.chunks):
        if len({*sizes[:-1]}) > 1 or sizes[-1] > sizes[0]:
            allowed = "a smaller last one; rechunk it first"
            raise ValueError(f"array: got blocks of different sizes along axis {axis}, allowed is {allowed}")
    return array.chunksize


def _missing(array: da.Array, folder: Path) -> list[tuple[int, ...]]:
    import zarr

    encode = zarr.open_array(str(folder), mode="r").metadata.encode_chunk_key
    size = prod(array.chunksize) * array.dtype.itemsize + _CHECKSUM
    files = {place: folder / encode(place) for place in product(*map(range, array.numblocks))}
    return [place for place, file in files.items() if not file.is_file() or file.stat().st_size != size]


def _with_saved_blocks(array: da.Array, folder: Path, missing: list[tuple[int, ...]]) -> da.Array:
    """Load the blocks that are on disk instead of computing them."""
    saved = {*product(*map(range, array.numblocks))} - {*missing}
    reads = {(array.name, *place): (_read, str(folder), place) for place in saved}
    return da.Array({**array.dask, **reads}, array.name, array.chunks, array.dtype)


def _read(folder: str, place: tuple[int, ...]) -> np.ndarray:
    import zarr

    stored = zarr.open_array(folder, mode="r")
    return stored[_region(place, stored.chunks)]


def _write(folder: str, place: tuple[int, ...], block: np.ndarray) -> None:
    import zarr

    stored = zarr.open_array(folder, mode="r+").with_config({"write_empty_chunks": True})
    stored[_region(place, stored.chunks)] = block


def _region(place: tuple[int, ...], sizes: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(i * size, (i + 1) * size) for i, size in zip(place, sizes, strict=True))
