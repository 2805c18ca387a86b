import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import BIN  # noqa: E402


@pytest.fixture(scope="session")
def faults():
    """Only builds with sanitizers have fault points."""
    with open(BIN, "rb") as f:
        if b"POSTRIDER_FAULT=" not in f.read() or not subprocess.run(["grep", "-q", "local.deliver", BIN]).returncode == 0:
            pytest.skip("this build has no fault points (they come with sanitizers)")
