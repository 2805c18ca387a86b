"""Sending: swaks, curl, msmtp, smtplib."""
import smtplib
import socket

import pytest
from mailbox_ import imap, message, messages, smtp, tls, wait_for


def swaks(run, server, account, to, port, *more, password=None):
    return run("swaks", "--server", "127.0.0.1", "--port", str(server.ports[port]), "--from", account[0], "--to", to, "--ehlo", "client.example",
               "--auth-user", account[1], "--auth-password", password or account[2], "--timeout", "30", *more)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_starttls(server, account, other, run, mechanism):
    subject = f"swaks {mechanism}"
    status, out = swaks(run, server, account, other[0], "submission", "--tls", "--auth", mechanism, "--header", f"Subject: {subject}")
    assert status == 0, out
    assert b"swaks" in wait_for(server, other, subject)


def test_swaks_implicit_tls(server, account, other, run):
    status, out = swaks(run, server, account, other[0], "submissions", "--tls-on-connect", "--auth", "PLAIN", "--header", "Subject: implicit")
    assert status == 0, out
    wait_for(server, other, "Subject: implicit")


def test_swaks_pipelining(server, account, other, run):
    status, out = swaks(run, server, account, other[0], "submission", "--tls", "--auth", "PLAIN", "--pipeline", "--header", "Subject: piped")
    assert status == 0, out
    wait_for(server, other, "Subject: piped")


@pytest.mark.expect_log("sign-in|login|auth")
def test_swaks_wrong_password(server, account, run):
    status, out = swaks(run, server, account, account[0], "submission", "--tls", "--auth", "PLAIN", password="wrong-password")
    assert status == 28, out
    assert "535" in out
    status, out = swaks(run, server, account, account[0], "submission", "--tls", "--auth", "PLAIN", "--header", "Subject: right")
    assert status == 0, out
    wait_for(server, account, "Subject: right")


def test_submission_needs_sign_in(server, account, other, run):
    status, out = run("swaks", "--server", "127.0.0.1", "--port", str(server.ports["submission"]), "--tls", "--from", account[0], "--to",
                      "somebody@example.net")
    if server.name == "postrider":  # the reference trusts loopback
        assert status != 0 and "530" in out, out


def test_port_25(server, account, run):
    status, out = run("swaks", "--server", "127.0.0.1", "--port", str(server.ports["smtp"]), "--from", "stranger@example.org", "--to", account[0],
                      "--ehlo", "client.example", "--header", "Subject: from outside")
    assert status == 0, out
    wait_for(server, account, "Subject: from outside")


def test_port_25_refuses(server, run):
    to = ["nobody-at-all@" + server.domain] + (["somebody@example.net"] if server.name == "postrider" else [])
    for address in to:
        status, out = run("swaks", "--server", "127.0.0.1", "--port", str(server.ports["smtp"]), "--from", "stranger@example.org", "--to", address,
                          "--ehlo", "client.example")
        assert status == 24 and ("550" in out or "554" in out), out


@pytest.mark.parametrize("scheme, port", [("smtp", "submission"), ("smtps", "submissions")])
def test_curl(server, account, other, run, tmp_path, scheme, port):
    mail = tmp_path / "mail"
    mail.write_bytes(message(account[0], other[0], f"curl {scheme}").encode())
    status, out = run("curl", "-sS", "-k", "--ssl-reqd", f"{scheme}://127.0.0.1:{server.ports[port]}", "--user", f"{account[1]}:{account[2]}",
                      "--mail-from", account[0], "--mail-rcpt", other[0], "--upload-file", str(mail))
    assert status == 0, out
    wait_for(server, other, f"Subject: curl {scheme}")


@pytest.mark.expect_log("sign-in|login|auth")
def test_curl_wrong_password(server, account, run, tmp_path):
    mail = tmp_path / "mail"
    mail.write_bytes(message(account[0], account[0], "never").encode())
    status, out = run("curl", "-sS", "-k", "--ssl-reqd", f"smtps://127.0.0.1:{server.ports['submissions']}", "--user", f"{account[1]}:wrong",
                      "--mail-from", account[0], "--mail-rcpt", account[0], "--upload-file", str(mail))
    assert status == 67, out


@pytest.mark.parametrize("starttls, port", [("on", "submission"), ("off", "submissions")])
def test_msmtp(server, account, other, run, tmp_path, starttls, port):
    config = tmp_path / "msmtprc"
    config.write_text(f"account default\nhost 127.0.0.1\nport {server.ports[port]}\ntls on\ntls_starttls {starttls}\ntls_certcheck off\nauth on\n"
                      f"user {account[1]}\npassword {account[2]}\nfrom {account[0]}\n")
    config.chmod(0o600)
    status, out = run("msmtp", "-C", str(config), other[0], stdin=message(account[0], other[0], f"msmtp {starttls}").replace("\r", ""))
    assert status == 0, out
    wait_for(server, other, f"Subject: msmtp {starttls}")


def test_content_is_kept(server, account, other):
    """Dots, long lines, 8-bit text, no line end at the end: only header fields may be added."""
    body = "\r\n".join([".", "..", ". x", "x" * 900, "gr\u00fc\u00df dich", "", "end"])
    text = message(account[0], other[0], "kept").encode() + body.encode()
    with smtp(server, account) as client:
        client.sendmail(account[0], [other[0]], text, ["BODY=8BITMIME"])
    assert wait_for(server, other, "Subject: kept").endswith(b"\r\n\r\nHello\r\n" + body.encode() + b"\r\n")


def test_many_recipients(server, account, fifty):
    with smtp(server, account) as client:
        refused = client.sendmail(account[0], [a[0] for a in fifty], message(account[0], fifty[0][0], "for many"))
    assert refused == {}
    for one in fifty:
        wait_for(server, one, "Subject: for many")


def test_some_recipients_refused(server, account, other):
    nobody = "nobody-at-all@" + server.domain
    with smtp(server, account) as client:
        refused = client.sendmail(account[0], [nobody, other[0]], message(account[0], other[0], "for one"))
    assert list(refused) == [nobody] and refused[nobody][0] == 550
    wait_for(server, other, "Subject: for one")


def test_too_large_announced(server, account, other):
    with smtp(server, account) as client:
        assert int(client.esmtp_features["size"]) < 60_000_000
        with pytest.raises(smtplib.SMTPSenderRefused) as refusal:
            client.sendmail(account[0], [other[0]], "x" * 60_000_000)
        assert refusal.value.smtp_code == 552


def test_too_large_unannounced(server, account, other):
    """60 MB without SIZE: refused after the data, or the connection ends; nothing arrives."""
    with smtp(server, account) as client:
        client.mail(account[0])
        client.rcpt(other[0])
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        code = None
        try:
            for _ in range(600):
                client.sock.sendall((b"x" * 98 + b"\r\n") * 1000)
            client.sock.sendall(b"\r\n.\r\n")
            code = client.getreply()[0]
        except (OSError, smtplib.SMTPServerDisconnected):
            client.close()
    assert code in (552, None)
    with smtp(server, account) as client:
        client.sendmail(account[0], [other[0]], message(account[0], other[0], "after the large one"))
    wait_for(server, other, "Subject: after the large one")
    with imap(server, other, "INBOX") as client:
        assert len(messages(client)) == 1


def test_starttls_injection(server):
    """What came in clear behind STARTTLS is never answered inside TLS."""
    with socket.create_connection(("127.0.0.1", server.ports["submission"]), timeout=30) as raw:
        raw.recv(1000)
        raw.sendall(b"EHLO client.example\r\n")
        while b"250 " not in raw.recv(4000):
            continue
        raw.sendall(b"STARTTLS\r\nNOOP injected\r\n")
        if raw.recv(4)[:1] != b"2":
            return  # refused, or dropped: as good
        try:
            with tls().wrap_socket(raw) as inside:
                inside.sendall(b"QUIT\r\n")
                assert inside.recv(1000)[:3] in (b"221", b"")
        except OSError:
            return
