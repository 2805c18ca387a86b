"""Each role tries, from inside, what it must not be able to do; users, seccomp and no_new_privs; started by root and by a user."""
import json
import os
import pwd
import re
import subprocess

import pytest

from filters import Filtered
from server import Server

ROLES = ("control", "dns", "auth", "smtp", "queue", "local", "remote", "imap", "keeper")
USERS = {"control": "postrider-control", "dns": "postrider-dns", "auth": "postrider-auth", "smtp": "postrider-smtp",
         "queue": "postrider-queue", "local": "postrider-store", "remote": "postrider-remote", "imap": "postrider-store", "keeper": "postrider-store"}


def probe(server):
    """{role: {name: result}} from the roles' own log lines, and which results are not bound to be "refused"."""
    found, free = {}, set()
    for line in server.log_text().splitlines():
        m = re.search(r"role=(\w+) msg=probe name=(\w+) result=(\w+) expected=(\w+)", line)
        if m:
            found.setdefault(m[1], {})[m[2]] = m[3]
            if m[4] == "any":
                free.add((m[1], m[2]))
    return found, free


def assert_sealed(server):
    found, free = probe(server)
    assert set(found) == set(ROLES)
    assert found["imap"]["keeper"] == "refused"
    for role, results in found.items():
        assert len(results) >= 21, role
        for name, result in results.items():
            if (role, name) in free:
                assert role in ("dns", "remote") and name in ("socket_inet", "reconnect", "fast_open", "fast_open_msg")
            else:
                assert result == "refused", (role, name)


def assert_status(server, users):
    rows = server.command("status", json_out=True)["processes"]
    assert {r["role"] for r in rows} == set(ROLES)
    for row in rows:
        status = dict(l.split(":\t", 1) for l in open("/proc/%d/status" % row["pid"]).read().splitlines() if ":\t" in l)
        assert status["NoNewPrivs"].strip() == "1", row
        assert status["Seccomp"].strip() == "2", row
        assert status["CapEff"].strip() == "0" * 16, row
        uids = {int(u) for u in status["Uid"].split()}
        assert uids == {users(row["role"])}, row


@pytest.mark.parametrize("landlock", ["", "2"])
def test_started_by_root(landlock):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    environment = {"POSTRIDER_PROBE": "1"}
    if landlock:
        environment["POSTRIDER_LANDLOCK_MAX"] = landlock
    with Server(environment=environment) as server:
        server.expect("a file was refused")
        assert_sealed(server)
        assert_status(server, lambda role: pwd.getpwnam(USERS[role]).pw_uid)


def test_started_by_a_user():
    user = "nobody" if os.geteuid() == 0 else None
    with Server(environment={"POSTRIDER_PROBE": "1"}, user=user) as server:
        server.expect("a file was refused")
        assert_sealed(server)
        uid = pwd.getpwnam(user).pw_uid if user else os.geteuid()
        assert_status(server, lambda role: uid)


def test_folders_are_closed_to_the_other_users():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with Server() as server:
        for folder, owner in (("auth", "auth"), ("queue", "queue"), ("accounts", "store")):
            info = os.stat(os.path.join(server.dir, "data", folder))
            assert info.st_mode & 0o777 == 0o700
            assert info.st_uid == pwd.getpwnam("postrider-" + owner).pw_uid
        done = subprocess.run(["setpriv", "--reuid", "nobody", "--clear-groups", "cat", os.path.join(server.dir, "data", "tls.key")],
                              capture_output=True)
        assert done.returncode != 0


def test_the_role_that_runs_programs(monkeypatch):
    """What is left to it is written down (sys/sandbox.h, docs/concepts/pipe.md); here is what is not."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setenv("POSTRIDER_PROBE", "1")
    with Filtered("", more='pipe x { command = {"/bin/cat"} }\n', expect=("a file was refused",)) as server:
        lines = [dict(re.findall(r"(\w+)=(\S+)", l)) for l in server.text().splitlines() if "role=pipe msg=probe name" in l]
        results = {l["name"]: l["result"] for l in lines}
        assert len(results) >= 21
        for name in ("ptrace", "io_uring", "setuid", "socket_inet", "socket_netlink", "dumpable", "read_proc", "kill"):
            assert results[name] == "refused", name
        assert all(l["result"] == "refused" for l in lines if l["expected"] == "refused")
        pid, = [p["pid"] for p in json.loads(server.command("status", "--json"))["processes"] if p["role"] == "pipe"]
        status = dict(l.split(":\t", 1) for l in open("/proc/%d/status" % pid).read().splitlines() if ":\t" in l)
        assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip(), status["CapEff"].strip()) == ("1", "2", "0" * 16)
        assert {int(u) for u in status["Uid"].split()} == {pwd.getpwnam("postrider-pipe").pw_uid}
        assert status["Groups"].strip() == ""


def test_no_pipes_no_role_that_may_execute():
    with Server() as server:
        assert not server.pids("pipe")
