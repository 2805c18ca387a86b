"""The master serves all processes: one that does not read what it says holds up nobody."""
import os
import signal

import pytest

from server import Server, until


@pytest.fixture
def server():
    s = Server("--accounts", "2").start()
    yield s
    s.stop()


def rows(server, role):
    return [r for r in server.command("status", json_out=True)["processes"] if r["role"] == role]


def test_a_stopped_process_holds_up_nobody(server):
    """Its channel is filled by reloads; meanwhile another process is killed, and must be back at once."""
    server.expect("process ended|process is killed")
    master = int(open(os.path.join(server.dir, "data", "postrider.lock")).read().split()[0])
    stopped, victim = rows(server, "smtp")[0], rows(server, "imap")[0]
    os.kill(stopped["pid"], signal.SIGSTOP)
    try:
        # Reloads are told to all, until so many wait for the stopped one that it counts as lost; none may take long.
        for _ in range(2000):
            seen = server.log_text().count("msg=reloaded")
            os.kill(master, signal.SIGHUP)
            until(lambda: server.log_text().count("msg=reloaded") > seen, "no reload", 5)
            if "does not read what the master says" in server.log_text():
                break
        os.kill(victim["pid"], signal.SIGKILL)
        until(lambda: any(r["pid"] not in (0, victim["pid"]) and r["instance"] == victim["instance"] and r["ready"]
                          for r in rows(server, "imap")), "it is not replaced", 10)
        # And the one that does not read is replaced.
        until(lambda: any(r["pid"] not in (0, stopped["pid"]) and r["instance"] == stopped["instance"] and r["ready"]
                          for r in rows(server, "smtp")), "who does not read is not replaced", 50)
    finally:
        try:
            os.kill(stopped["pid"], signal.SIGCONT)
        except ProcessLookupError:
            pass
    assert "does not read what the master says" in server.log_text()
