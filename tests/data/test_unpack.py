"""Archives: what is harmless comes out, what is hostile leaves nothing."""

import gzip
import io
import tarfile

import pytest

from ntkd_lib.data.files import unpack_gzip, unpack_tar
from ntkd_lib.data.settings import DataError


def make_tar(path, *members):
    with tarfile.open(path, "w:gz") as tar:
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


@pytest.mark.parametrize(
    "member",
    [
        ("../outside", tarfile.REGTYPE, b"x"),
        ("set/../../outside", tarfile.REGTYPE, b"x"),
        ("..\\outside", tarfile.REGTYPE, b"x"),
        ("/outside", tarfile.REGTYPE, b"x"),
        ("C:/outside", tarfile.REGTYPE, b"x"),
        ("../outside", tarfile.DIRTYPE, b""),
    ],
)
def test_members_that_point_outside(tmp_path, member):
    archive = make_tar(tmp_path / "a.tar.gz", GOOD, member)
    with pytest.raises(DataError, match=r"^a\.tar\.gz is refused: member .* points outside$"):
        unpack_tar(archive, tmp_path / "out", 10_000)
    assert everything_below(tmp_path) == ["a.tar.gz"]


@pytest.mark.parametrize(
    "member",
    [
        ("set/link", tarfile.SYMTYPE, b"/etc/passwd"),
        ("set/link", tarfile.SYMTYPE, b"good"),
        ("set/link", tarfile.LNKTYPE, b"set/good"),
        ("set/device", tarfile.CHRTYPE, b""),
        ("set/pipe", tarfile.FIFOTYPE, b""),
    ],
)
def test_members_that_are_no_files(tmp_path, member):
    archive = make_tar(tmp_path / "a.tar.gz", GOOD, member)
    with pytest.raises(DataError, match=r"^a\.tar\.gz is refused: member .* is neither file nor folder$"):
        unpack_tar(archive, tmp_path / "out", 10_000)
    assert everything_below(tmp_path) == ["a.tar.gz"]


def test_archive_that_holds_too_much(tmp_path):
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


@pytest.mark.parametrize("keep", [0, 10, 60])
def test_broken_archive(tmp_path, keep):
    archive = make_tar(tmp_path / "a.tar.gz", ("noise", tarfile.REGTYPE, bytes(range(256)) * 20))
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"^a\.tar\.gz cannot be unpacked: "):
        unpack_tar(archive, tmp_path / "out", 10_000)


def test_old_python_is_told(tmp_path, monkeypatch):
    archive = make_tar(tmp_path / "a.tar.gz", GOOD)
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(DataError, match=r"Python 3\.11\.4 or newer"):
        unpack_tar(archive, tmp_path / "out", 10_000)


def test_gzip_comes_out(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text"))
    unpack_gzip(tmp_path / "a.gz", tmp_path / "a", 4)
    assert (tmp_path / "a").read_bytes() == b"text"


def test_gzip_that_holds_too_much(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(10_000)))
    with pytest.raises(DataError, match=r"^a\.gz holds more than 9,999 bytes$"):
        unpack_gzip(tmp_path / "a.gz", tmp_path / "a", 9_999)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "data", [b"not gzip", gzip.compress(bytes(range(256)) * 9)[:-30], b"\x1f\x8b\x08\x00" + bytes(20)]
)
def test_broken_gzip(tmp_path, data):
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(DataError, match=r"^a\.gz cannot be unpacked: "):
        unpack_gzip(tmp_path / "a.gz", tmp_path / "a", 10_000)
    assert not (tmp_path / "a").exists()
