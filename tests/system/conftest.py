import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from server import Server  # noqa: E402


@pytest.fixture(scope="module")
def server():
    """One server for all tests of a file; its log must hold no unexpected warning at the end."""
    s = Server("--accounts", "20").start()
    yield s
    s.stop()
