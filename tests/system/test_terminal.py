"""What strangers say is shown to administrators, and must not speak to their terminals."""
import smtplib
import socket
import threading
import time

import pytest

from server import PASSWORD, Server

EVIL = ("\x1b[31m", "\x07", "\u009b31m", "\u0085")


@pytest.fixture(scope="module")
def relay():
    """A host that refuses for now, with all that."""
    listener = socket.create_server(("127.0.0.1", 0))
    text = "".join(EVIL).encode()

    def serve(peer):
        with peer:
            peer.sendall(b"220 mx\r\n")
            for line in peer.makefile("rb"):
                word = line[:4].upper()
                peer.sendall(b"250 mx\r\n" if word == b"EHLO" else b"221 2.0.0 bye\r\n" if word == b"QUIT" else
                             b"451 4.3.0 not now" + text + b"\r\n")
                if word == b"QUIT":
                    return

    def accept():
        while True:
            try:
                peer = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def test_answers_of_a_host(relay):
    with Server("--relay", "127.0.0.1:%d" % relay) as server:
        with smtplib.SMTP("127.0.0.1", server.port(587)) as s:
            s.login(server.address("alice"), PASSWORD)
            s.sendmail(server.address("alice"), ["x@else.test"], "From: alice@demo.test\r\nSubject: x\r\n\r\nx\r\n")
        end = time.monotonic() + 20
        while True:
            listed = server.command("queue", "list", check=True).stdout
            if "not now" in listed:
                break
            assert time.monotonic() < end, listed
            time.sleep(0.1)
        row = server.command("queue", "list", json_out=True)["messages"][0]
        shown = server.command("queue", "show", row["id"], check=True).stdout
        assert "not now" in shown
        log = server.log_text()
        assert "not now" in log
        for text in (listed, shown, log):
            for c in text:
                assert c == "\n" or (ord(c) >= 32 and not 127 <= ord(c) < 160), repr(text)
