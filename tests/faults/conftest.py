"""The toy project and the small book, under their own names."""

from tests.book.conftest import _built, built  # noqa: F401 - fixtures
from tests.book.conftest import own as own_book  # noqa: F401 - a fixture
from tests.lab.conftest import store  # noqa: F401 - a fixture
from tests.pipeline.conftest import fresh, own, ran  # noqa: F401 - fixtures
