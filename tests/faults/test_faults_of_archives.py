"""Archives: what is harmless comes out, what is hostile leaves nothing."""

import gzip
import io
import tarfile

import pytest

from ntkd_lib.data.files import unpack_gzip, unpack_tar
from ntkd_lib.data.settings import DataError


def make_tar(path, *members, form=tarfile.DEFAULT_FORMAT):
    with tarfile.open(path, "w:gz", format=form) as tar:
        for name, kind, data in members:
            member = tarfile.TarInfo(name)
            for field, value in {"type": kind, "mode": 0o4777}.items():
                setattr(member, field, value)
            if kind == tarfile.REGTYPE:
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
            else:
                member.linkname = data.decode()
                tar.addfile(member)
    return path


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


GOOD = ("set/good", tarfile.REGTYPE, b"fine")


def test_plain_files_come_out(tmp_path):
    archive = make_tar(tmp_path / "a.tar.gz", ("set", tarfile.DIRTYPE, b""), GOOD)
    unpack_tar(archive, tmp_path / "out", 10_000)
    assert (tmp_path / "out/set/good").read_bytes() == b"fine"
    assert not (tmp_path / "out/set/good").stat().st_mode & 0o4000, "set-uid bits are dropped"


OUTSIDE = {
    "a step up": ("../outside", tarfile.REGTYPE, b"x"),
    "a step up after one down": ("set/../../outside", tarfile.REGTYPE, b"x"),
    "a step up of Windows": ("..\\outside", tarfile.REGTYPE, b"x"),
    "a root": ("/outside", tarfile.REGTYPE, b"x"),
    "a drive": ("C:/outside", tarfile.REGTYPE, b"x"),
    "a share": ("\\\\host\\outside", tarfile.REGTYPE, b"x"),
    "a folder": ("../outside", tarfile.DIRTYPE, b""),
    "a name too long for its field": ("../" + 200 * "x", tarfile.REGTYPE, b"x"),
}
NO_FILES = {
    "a link to elsewhere": ("set/link", tarfile.SYMTYPE, b"/etc/passwd"),
    "a link inside": ("set/link", tarfile.SYMTYPE, b"good"),
    "a hard link": ("set/link", tarfile.LNKTYPE, b"set/good"),
    "a device": ("set/device", tarfile.CHRTYPE, b""),
    "a disk": ("set/disk", tarfile.BLKTYPE, b""),
    "a pipe": ("set/pipe", tarfile.FIFOTYPE, b""),
}


def refuse_member(folder, member, words, form=tarfile.DEFAULT_FORMAT):
    """Unpack an archive of a good and a hostile member: it is refused, and nothing is left."""
    archive = make_tar(folder / "a.tar.gz", GOOD, member, form=form)
    with pytest.raises(DataError, match=rf"^a\.tar\.gz is refused: member .* {words}$"):
        unpack_tar(archive, folder / "out", 10_000)
    assert everything_below(folder) == ["a.tar.gz"]


@pytest.mark.parametrize("case", OUTSIDE)
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_an_archive_with_a_member_that_points_outside_leaves_nothing(tmp_path, case, form):
    refuse_member(tmp_path, OUTSIDE[case], "points outside", form=form)


@pytest.mark.parametrize("case", NO_FILES)
def test_an_archive_with_a_member_that_is_no_file_leaves_nothing(tmp_path, case):
    refuse_member(tmp_path, NO_FILES[case], "is neither file nor folder")


def test_an_archive_that_holds_too_much_is_refused(tmp_path):
    archive = make_tar(tmp_path / "a.tar.gz", ("big", tarfile.REGTYPE, bytes(2000)))
    with pytest.raises(
        DataError, match=r"^a\.tar\.gz is refused: it holds 2,000 bytes or more, 1,000 are allowed$"
    ):
        unpack_tar(archive, tmp_path / "out", 1000)


def test_a_bomb_is_refused_by_its_headers(tmp_path):
    """Of a header that claims a terabyte, and of a million empty members, next to nothing is read."""
    huge = tarfile.TarInfo("huge")
    huge.size = 1 << 40
    for name, text in (("huge", huge.tobuf()), ("many", tarfile.TarInfo("empty").tobuf() * 40_000)):
        archive = tmp_path / f"{name}.tar.gz"
        archive.write_bytes(gzip.compress(text))
        with pytest.raises(
            DataError, match=rf"^{name}\.tar\.gz is refused: it holds .* or more, 1,000,000 are"
        ):
            unpack_tar(archive, tmp_path / "out", 1_000_000)
    assert not (tmp_path / "out").exists()


CUTS = {"nothing left": 0, "its head": 10, "its first bytes": 60, "all but its end": -20}


@pytest.mark.parametrize("case", CUTS)
def test_a_broken_archive_is_one_line_and_leaves_nothing(tmp_path, case):
    archive = make_tar(tmp_path / "a.tar.gz", ("noise", tarfile.REGTYPE, bytes(range(256)) * 20))
    archive.write_bytes(archive.read_bytes()[: CUTS[case]])
    with pytest.raises(DataError, match=r"^a\.tar\.gz cannot be unpacked: "):
        unpack_tar(archive, tmp_path / "out", 10_000)
    assert everything_below(tmp_path) == ["a.tar.gz"]


def test_an_archive_is_refused_by_a_python_that_cannot_filter_members(tmp_path, monkeypatch):
    archive = make_tar(tmp_path / "a.tar.gz", GOOD)
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"Python 3\.11\.4 or newer"):
        unpack_tar(archive, tmp_path / "out", 10_000)


def test_plain_gzip_comes_out(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text"))
    unpack_gzip(tmp_path / "a.gz", tmp_path / "a", 4)
    assert (tmp_path / "a").read_bytes() == b"text"


def test_gzip_that_holds_too_much_leaves_nothing(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(10_000)))
    with pytest.raises(DataError, match=r"^a\.gz holds more than 9,999 bytes$"):
        unpack_gzip(tmp_path / "a.gz", tmp_path / "a", 9_999)
    assert not (tmp_path / "a").exists()


NO_GZIP = {
    "another format": b"not gzip",
    "nothing": b"",
    "an end that is missing": gzip.compress(bytes(range(256)) * 9)[:-30],
    "a body of zeros": b"\x1f\x8b\x08\x00" + bytes(20),
    "a wrong checksum": gzip.compress(b"text")[:-8] + bytes(8),
    "something behind the end": gzip.compress(b"text") + b"more",
}


@pytest.mark.parametrize("case", NO_GZIP)
def test_broken_gzip_is_one_line_and_leaves_nothing(tmp_path, case):
    (tmp_path / "a.gz").write_bytes(NO_GZIP[case])
    with pytest.raises(DataError, match=r"^a\.gz cannot be unpacked: "):
        unpack_gzip(tmp_path / "a.gz", tmp_path / "a", 10_000)
    assert not (tmp_path / "a").exists()
