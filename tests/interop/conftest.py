"""Programs that people use, against a running server.

    /usr/bin/python3 -m pytest tests/interop

The server is `postrider demo` (POSTRIDER_BIN, else the newest build). POSTRIDER_INTEROP=reference runs the same tests against Postfix
and Dovecot instead (as root), which shows that the tests themselves are right; =postrider,reference runs both.
A warning or error in the server's log fails the test that caused it, unless it is marked: @pytest.mark.expect_log("regex").
"""
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import at_once  # noqa: E402, F401
import servers  # noqa: E402

ACCOUNTS = 200


def pytest_configure(config):
    config.addinivalue_line("markers", "expect_log(regex): warnings and errors that the test causes on purpose")
    config.addinivalue_line("markers", "postrider_only: has no meaning for the reference servers")


def make_server(kind, directory):
    if kind == "postrider":
        return servers.Postrider(directory, ACCOUNTS)
    return servers.Reference(directory, ACCOUNTS, log=True)


@pytest.fixture(scope="session", params=os.environ.get("POSTRIDER_INTEROP", "postrider").split(","))
def running(request, tmp_path_factory):
    directory = str(tmp_path_factory.mktemp(request.param))
    for path in (os.path.dirname(directory), os.path.dirname(os.path.dirname(directory))):
        os.chmod(path, 0o755)  # the reference's processes change their user
    with make_server(request.param, directory) as server:
        server.next_account = 0
        yield server


@pytest.fixture
def server(running, request):
    if request.node.get_closest_marker("postrider_only") and running.name != "postrider":
        pytest.skip("about Postrider itself")
    before = len(running.problems())
    yield running
    assert running.process.poll() is None, "the server ended"
    mark = request.node.get_closest_marker("expect_log")
    unexpected = [line for line in running.problems()[before:] if not (mark and re.search(mark.args[0], line))]
    assert not unexpected, "in the server's log:\n" + "\n".join(unexpected)


def accounts_take(server, count):
    """Accounts, each (address, login, password), that no other test uses."""
    first, server.next_account = server.next_account, server.next_account + count
    assert server.next_account <= len(server.accounts), "ACCOUNTS is too small for all tests"
    return server.accounts[first:server.next_account]


@pytest.fixture
def account(server):
    return accounts_take(server, 1)[0]


@pytest.fixture
def other(server):
    """Another one."""
    return accounts_take(server, 1)[0]


@pytest.fixture
def fifty(server):
    return accounts_take(server, 50)


@pytest.fixture
def run():
    """Run a program; returns (exit status, output of both kinds)."""
    def call(*command, stdin="", timeout=60, env=None):
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, env=dict(os.environ, **(env or {})))
        return done.returncode, done.stdout + done.stderr
    return call
