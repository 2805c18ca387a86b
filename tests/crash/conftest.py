import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import BIN  # noqa: E402


@pytest.fixture(scope="session")
def faults():
    """Only builds with sanitizers have fault points."""
    with open(BIN, "rb") as f:
        if b"no place for another fault" not in f.read():
            pytest.skip("this build has no fault points (they come with sanitizers)")


def pytest_configure(config):
    config.addinivalue_line("markers", "plan(POSTRIDER_FAULT): the failures that are planned for the server")
