import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import at_once  # noqa: E402, F401
from outside import Dns, NoNamespace, namespace  # noqa: E402
from server import Server  # noqa: E402


@pytest.fixture(scope="module")
def server():
    """One server for all tests of a file; its log must hold no unexpected warning at the end."""
    s = Server("--accounts", "20").start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def world():
    """A network namespace for all tests of a file."""
    inside = namespace()
    try:
        inside.__enter__()
    except NoNamespace as e:
        pytest.skip(str(e))
    yield
    inside.__exit__(None, None, None)


@pytest.fixture(scope="module")
def dns(world):
    d = Dns()
    yield d
    d.close()
