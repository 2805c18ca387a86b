"""Messages that can be told apart and checked: an id in the first field, and a body that follows from the id."""
import hashlib
import random
import re

LARGE = 256 * 1024  # above: kept in files of their own
MARK = b"X-Crash-Id: "


def make(ident, size, author="crash@outside.test"):
    """About `size` octets, CRLF lines, no line begins with a dot."""
    r = random.Random(ident)
    head = b"".join((MARK, ident.encode(), b"\r\nFrom: <", author.encode(), b">\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <", ident.encode(),
                     b"@outside.test>\r\nSubject: crash test ", ident.encode(), b"\r\n\r\n"))  # all that submission would add
    line = b"".join(b"%02x" % r.randrange(256) for _ in range(36)) + b"\r\n"
    return head + b"".join(b"%06d " % i + line for i in range(max(1, (size - len(head)) // (len(line) + 7))))


def digest(content):
    return hashlib.sha256(content).hexdigest()


def identify(stored):
    """(id, digest of what was sent) of a stored message, which has fields of ours before it; None: not one of these."""
    at = stored.find(MARK)
    if at < 0:
        return None
    m = re.match(MARK + rb"(\S+)\r\n", stored[at:])
    return m[1].decode(), digest(stored[at:])
