import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab.digest import canonical_json, digest_json, plain, sha256_bytes, sha256_file

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


def test_file_and_bytes_agree_over_many_blocks(tmp_path):
    data = bytes(range(256)) * 10_000
    (tmp_path / "f").write_bytes(data)
    assert sha256_file(tmp_path / "f") == sha256_bytes(data) == hashlib.sha256(data).hexdigest()


@given(values)
def test_plain_data_is_what_json_reads_back(value):
    assert json.loads(canonical_json(value)) == plain(value) == value


@given(st.dictionaries(st.text(), scalars))
def test_order_of_keys_does_not_count(value):
    assert digest_json(dict(reversed(value.items()))) == digest_json(value)


@given(values, values)
def test_digests_are_equal_exactly_where_the_text_is(one, other):
    assert (digest_json(one) == digest_json(other)) == (canonical_json(one) == canonical_json(other))


@pytest.mark.parametrize("one, other", [(1, 1.0), (True, 1), ("1", 1), (None, "null"), ([], {}), (0.1, 0.2)])
def test_different_data_have_different_digests(one, other):
    assert digest_json({"x": one}) != digest_json({"x": other})


@pytest.mark.parametrize(
    "value, text",
    [
        ({"a": [1.0, float("nan")]}, "value.a[1]: nan is not a finite number"),
        ({"a": {"b": float("-inf")}}, "value.a.b: -inf is not a finite number"),
        ({1: 2}, "value: key 1 is int, not text"),
        ({"s": {1, 2}}, "value.s: set is not plain data (None, bool, int, float, str, list, dict)"),
        (b"x", "value: bytes is not plain data (None, bool, int, float, str, list, dict)"),
    ],
)
def test_what_json_cannot_keep_is_refused_with_its_place(value, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        digest_json(value)
