"""The trace: a message's whole way by any of its names, and what was refused and why."""
import os
import signal
import smtplib
import socket
import time

from server import PASSWORD, Server, tls


def trace(server, key, *words):
    done = server.command("trace", key, *words, json_out=True)
    return done["events"] if isinstance(done, dict) and "events" in done else []


def wait_for(server, key, what, timeout=20):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        events = trace(server, key)
        if any(e["what"] == what for e in events):
            return events
        time.sleep(0.1)
    raise AssertionError("no %r about %s: %r" % (what, key, events))


def send(server, sender, rcpts, body=b"Subject: t\r\n\r\nx\r\n"):
    with smtplib.SMTP("127.0.0.1", server.port(25)) as s:
        s.ehlo("client.test")
        s.mail(sender)
        codes = [s.rcpt(r)[0] for r in rcpts]
        code, text = s.data(b"From: %s\r\n" % sender.encode() + body)
        return codes, code, text.decode()


def test_a_messages_way(server):
    codes, code, text = send(server, "way@elsewhere.test", ["alice@demo.test", "nobody-here@demo.test", "bob@demo.test"])
    assert codes == [250, 550, 250] and code == 250
    mid = text.split()[-1]
    wait_for(server, mid, "delivered")
    for key in (mid, "way@elsewhere.test", "@elsewhere.test"):
        events = wait_for(server, key, "session ended")
        what = [e["what"] for e in events]
        assert what.count("accepted") == 1 and what.count("delivered") == 2, (key, what)
        assert what.index("connected") < what.index("recipient refused") < what.index("accepted") < what.index("delivered")
        assert {e["to"] for e in events if e["what"] == "delivered"} == {"alice@demo.test", "bob@demo.test"}
        refused = [e for e in events if e["what"] == "recipient refused"][0]
        assert refused["to"] == "nobody-here@demo.test" and refused["code"] == 550 and "5.1.1" in refused["text"]
    session = [e for e in events if e["what"] == "accepted"][0]["session"]
    assert [e["what"] for e in trace(server, session)][0] == "connected"
    text = server.command("trace", mid, check=True).stdout
    assert "accepted" in text and "<way@elsewhere.test>" in text and "to <alice@demo.test>" in text


def test_by_recipient_without_the_sessions_other_messages(server):
    with smtplib.SMTP("127.0.0.1", server.port(25)) as s:
        for i, to in enumerate(("carol@demo.test", "dave@demo.test")):
            s.sendmail("two%d@elsewhere.test" % i, [to], "From: two@elsewhere.test\r\n\r\nx\r\n")
    events = wait_for(server, "two0@elsewhere.test", "delivered")
    assert {e.get("from") for e in events if e["what"] == "accepted"} == {"two0@elsewhere.test"}


def test_sign_in_and_refused_sender(server):
    server.expect("sign-in failed|sender refused")
    with smtplib.SMTP("127.0.0.1", server.port(587)) as s:
        s.starttls(context=tls())
        s.ehlo()
        s.login("erin@demo.test", PASSWORD)
        assert s.mail("frank@demo.test")[0] == 553
    events = wait_for(server, "frank@demo.test", "session ended")
    what = [e["what"] for e in events]
    assert "signed in" in what and "sender refused" in what
    assert any("TLS" in e["text"] for e in events if e["what"] == "session ended")


def test_unknown_key(server):
    done = server.command("trace", "never-seen@demo.test")
    assert done.returncode == 3 and "never-seen" in done.stderr
    assert server.command("trace", "x", "--since", "soon").returncode == 2


def test_hostile_text_cannot_forge_a_line(server):
    with socket.create_connection(("127.0.0.1", server.port(25))) as c:
        c.recv(1000)
        c.sendall(b"EHLO evil.test\r\n")
        time.sleep(0.2)
        c.recv(4000)
        c.sendall(b"MAIL FROM:<forge@elsewhere.test>\r\n")
        c.recv(1000)
        c.sendall('RCPT TO:<"\x7f\x1b[2Jevil"@demo.test>\r\n'.encode())
        c.recv(1000)
    time.sleep(0.3)
    out = server.command("trace", "127.0.0.1").stdout
    assert "\x1b" not in out


def test_it_survives_a_restart_and_a_kill():
    with Server() as server:
        server.expect("process ended|process is killed|submit unanswered|lost|cannot be asked|without an answer")
        _, _, text = send(server, "before@elsewhere.test", ["alice@demo.test"])
        wait_for(server, text.split()[-1], "delivered")
        os.kill(server.pids("queue")[0], signal.SIGKILL)
        time.sleep(1)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                _, code, text2 = send(server, "after@elsewhere.test", ["alice@demo.test"])
                if code == 250:
                    break
            except (OSError, smtplib.SMTPException):
                pass
            time.sleep(0.5)
        wait_for(server, text2.split()[-1], "delivered")
        assert wait_for(server, "before@elsewhere.test", "delivered")
