"""Mail that comes in from Postfix, Exim and OpenSMTPD, in clear and under TLS. What their client side can do differs (mtas.py); what it said is
seen by a recorder on the wire."""
import os
import re
import socket
import time

import mtas
import pytest
import servers
from mailbox_ import imap, messages, wait_for

SIZE = 1_000_000  # message_size of the receiver
BODY = "\r\n".join([".", "..", ". x", "", "x" * 900, "gr\u00fc\u00df dich", "From here", "end"]) + "\r\n"


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """The receiver, with a limit of size that is soon reached."""
    if "postrider" not in os.environ.get("POSTRIDER_INTEROP", "postrider"):
        pytest.skip("about Postrider itself")
    if mtas.missing():
        pytest.skip(mtas.missing())
    with servers.Postrider(str(tmp_path_factory.mktemp("near")), 30, environment={"POSTRIDER_MESSAGE_SIZE": str(SIZE)}) as server:
        yield server


@pytest.fixture(scope="module", params=[(name, tls) for name in mtas.KINDS for tls in (False, True)],
                ids=lambda p: p[0] + ("-tls" if p[1] else ""))
def wire(request, near):
    """(client, recorder)"""
    with mtas.Recorder(near.ports["smtp"]) as recorder, mtas.make(request.param[0], recorder.port, request.param[1]) as mta:
        yield mta, recorder


@pytest.fixture
def receiver(near, wire):
    """Two accounts for each test and client: who sends (and gets what comes back), and who receives."""
    near.used = getattr(near, "used", 0)
    wire[1].pieces.clear()
    pair = near.accounts[near.used % 28], near.accounts[near.used % 28 + 1]
    near.used += 2
    before = len(near.problems())
    yield pair
    assert near.problems()[before:] == []


def ehlo(server):
    with socket.create_connection(("127.0.0.1", server.ports["smtp"]), timeout=20) as s:
        got = s.recv(1000)
        s.sendall(b"EHLO x.example\r\n")
        while not re.search(rb"(?m)^250 ", got):
            got += s.recv(4000)
        return got


def offered(server, keyword):
    return re.search(rb"(?m)^250[- ]" + keyword + rb"\b", ehlo(server)) is not None


def message(sender, to, subject, body):
    return (f"From: <{sender[0]}>\r\nTo: <{to[0]}>\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\nDate: Sat, 01 Aug 2026 12:00:00 +0000\r\nMessage-ID: <{subject}.{time.monotonic_ns()}@peer.test>\r\n\r\n"
            f"{body}").encode()


def name_of(what, mta):
    return "%s-%s%s" % (what, mta.name, "-tls" if mta.tls else "")


def test_delivery(near, wire, receiver):
    mta, recorder = wire
    subject = name_of("delivery", mta)
    mta.send(receiver[0][0], [receiver[1][0]], message(*receiver, subject, BODY), mail=["BODY=8BITMIME"])
    got = wait_for(near, receiver[1], "Subject: " + subject)
    assert got.endswith(b"\r\n\r\n" + BODY.encode())
    ours = re.search(rb"Received: from %s .*?\r\n(?=\S)" % mtas.HOST.encode(), got, re.S)
    assert ours and (b"with ESMTPS" in ours[0]) == mta.tls, got[:600]
    assert (b"\r\nFrom: " in recorder.text()) == (not mta.tls), "TLS or not"


def test_large(near, wire, receiver):
    """More than is kept in memory; Exim sends it in chunks where they are offered."""
    mta, recorder = wire
    subject, body = name_of("large", mta), ("z" * 70 + "\r\n.\r\n") * 9000
    mta.send(receiver[0][0], [receiver[1][0]], message(*receiver, subject, body))
    assert wait_for(near, receiver[1], "Subject: " + subject).endswith(b"\r\n\r\n" + body.encode())
    assert offered(near, b"CHUNKING")
    if "CHUNKING" in mta.extensions and not mta.tls:
        assert re.search(rb"(?m)^BDAT \d+ LAST\r\n", recorder.text()) and b"DATA\r\n" not in recorder.text()


def test_pipelining(near, wire, receiver):
    """Many recipients, whose commands come in one piece from those that can."""
    mta, recorder = wire
    subject, to = name_of("piped", mta), near.accounts[20:30]
    mta.send(receiver[0][0], [a[0] for a in to], message(receiver[0], to[0], subject, BODY))
    for account in to:
        wait_for(near, account, "Subject: " + subject)
    if "PIPELINING" in mta.extensions and not mta.tls:
        assert any(re.search(rb"MAIL FROM:.*\r\nRCPT TO:.*\r\nRCPT TO:", octets) for _, octets in recorder.pieces), recorder.pieces


def test_too_large(near, wire, receiver):
    """Refused by the client itself, which read our SIZE, or by us for the size that MAIL declared: it comes back, and nothing of it was sent.
    (OpenSMTPD returns the whole message, which is too large for the sender too: its log must do.)"""
    mta, recorder = wire
    subject = name_of("too-large", mta)
    mta.send(receiver[0][0], [receiver[1][0]], message(*receiver, subject, ("y" * 70 + "\r\n") * (SIZE // 60)))
    if mta.name == "opensmtpd":
        mta.wait_log(r'to=<%s>.* result="PermFail" stat="message too large for peer"' % re.escape(receiver[1][0]))
    else:
        report = wait_for(near, receiver[0], "Subject: " + subject)  # the report holds its header
        assert receiver[1][0].encode() in report and re.search(rb"size|too (big|large)", report, re.I), report[:3000]
    if not mta.tls:
        assert b"y" * 70 not in recorder.text().split(subject.encode())[0]
    with imap(near, receiver[1], "INBOX") as client:
        assert not [m for m in messages(client).values() if subject.encode() in m]


def test_partial_recipients(near, wire, receiver):
    """One of ours, one unknown: 250 and 550 in one transaction. The one has it, the other comes back with our words."""
    mta, _ = wire
    subject, nobody = name_of("partial", mta), "nobody-at-all@" + near.domain
    mta.send(receiver[0][0], [nobody, receiver[1][0]], message(*receiver, subject, BODY))
    wait_for(near, receiver[1], "Subject: " + subject)
    report = wait_for(near, receiver[0], nobody)
    assert b"550" in report and b"5.1.1" in report and receiver[1][0].encode() not in re.sub(rb"(?m)^To: .*", b"", report), report[:3000]


def test_smtputf8(near, wire, receiver):
    mta, recorder = wire
    if "SMTPUTF8" not in mta.extensions:
        pytest.skip(mta.name + " has no SMTPUTF8")
    subject = name_of("gr\u00fc\u00dfe", mta)
    mta.send("j\u00fcrgen@peer.test", [receiver[1][0]], message(("j\u00fcrgen@peer.test",), receiver[1], subject, BODY), mail=["SMTPUTF8", "BODY=8BITMIME"])
    got = wait_for(near, receiver[1], "Subject: " + subject)
    assert "Return-Path: <j\u00fcrgen@peer.test>".encode() in got or "From: <j\u00fcrgen@peer.test>".encode() in got
    assert b"with UTF8SMTP" in got, got[:800]
    if not mta.tls:
        assert re.search("MAIL FROM:<j\u00fcrgen@peer.test>.* SMTPUTF8".encode(), recorder.text())


def test_dsn(near, wire, receiver):
    """RET, ENVID, NOTIFY and ORCPT come through (not from OpenSMTPD), and a report of success is ours to send then (RFC 3461)."""
    mta, recorder = wire
    assert offered(near, b"DSN")
    subject = name_of("dsn", mta)
    mta.send(receiver[0][0], [receiver[1][0]], message(*receiver, subject, BODY), mail=["RET=HDRS", "ENVID=" + subject],
             rcpt=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;original@peer.test"])
    wait_for(near, receiver[1], "Subject: " + subject)
    if not mta.tls:
        said = recorder.text()
        assert b"RET=HDRS" in said and b"ENVID=" + subject.encode() in said and b"NOTIFY=SUCCESS,FAILURE" in said, said[:500]
        assert mta.name == "opensmtpd" or re.search(rb"ORCPT=rfc822;original(\+40|@)peer\.test", said), said[:500]
    report = wait_for(near, receiver[0], "Original-Envelope-Id: " + subject, seconds=30)
    assert re.search(rb"(?im)^Action: delivered", report), report[:3000]
    if mta.name != "opensmtpd":  # it does not pass ORCPT on
        assert re.search(rb"(?m)^Original-Recipient: rfc822; ?original@peer.test", report), report[:3000]
