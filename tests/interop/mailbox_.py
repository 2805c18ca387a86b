"""What the tests need from IMAP and SMTP, by Python's own libraries."""
import contextlib
import imaplib
import smtplib
import ssl
import time

imaplib._MAXLINE = 100_000_000


def tls():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def imap(server, account, box=None):
    client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=tls(), timeout=120)
    client.login(account[1], account[2])
    if box:
        ok(client.select(box))
    try:
        yield client
    finally:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            client.logout()


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def messages(client):
    """uid -> content of all messages in the selected mailbox."""
    found = {}
    for item in ok(client.uid("FETCH", "1:*", "(UID BODY.PEEK[])")):
        if isinstance(item, tuple):
            uid = int(item[0].split(b"UID ")[1].split()[0])
            found[uid] = item[1]
    return found


def wait_for(server, account, text, box="INBOX", seconds=90):
    """The content of the first message that holds `text`."""
    end = time.monotonic() + seconds
    with imap(server, account, box) as client:
        while time.monotonic() < end:
            for content in messages(client).values() if int(ok(client.select(box))[0]) else ():
                if text.encode() in content:
                    return content
            time.sleep(0.1)
    raise AssertionError(f"no message with {text!r} in {box} of {account[0]}")


@contextlib.contextmanager
def smtp(server, account=None):
    """A session on the submission port, signed in; or on port 25."""
    with smtplib.SMTP("127.0.0.1", server.ports["submission" if account else "smtp"], timeout=120) as client:
        client.ehlo("client.example")
        if account:
            client.starttls(context=tls())
            client.login(account[1], account[2])
        yield client


def message(sender, to, subject, body="Hello\r\n"):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Sat, 01 Aug 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{subject.replace(' ', '.')}@example.org>\r\n\r\n{body}")
