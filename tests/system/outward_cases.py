#!/usr/bin/python3
"""The hostile hosts that test_outward_hostile.py sends to, and what must become of the mail.

usage: tests/system/outward_cases.py [--write]     print the table of docs/outward-cases.md, or write it there; tests/lint/hostile holds them together
"""
import collections
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hostile_server import (DROP, EXTENSIONS, GOOD, PLAIN, RESET, Slow, alert, clear_text, eat_the_rest, endless, long_reply,  # noqa: E402
                            old_tls)

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "outward-cases.md")

# ---- what must become of a recipient ----

# Delivered: the host said yes once. Later: first it waits with this answer (a regular expression), and is delivered once when the host has become
# good. Bounced: one report with this status, nothing was taken. `repeats`: how many times the host may have had it at the dot without saying so.
Once = collections.namedtuple("Once", "repeats", defaults=(0,))
Later = collections.namedtuple("Later", "answer repeats", defaults=(0,))
Bounced = collections.namedtuple("Bounced", "status")


class Case:
    """truth: for the one recipient, or a dict by local part. options: of MAIL when it is submitted. clear: True it went in clear, False nothing may be
    said in clear, None does not matter. messages: so many are sent.
    attributes: of the host."""

    def __init__(self, group, name, host, truth, tls=None, options=(), body="Hello.\r\n", clear=None, messages=1, **attributes):
        self.group, self.name, self.host = group, name, host
        self.truth = truth if isinstance(truth, dict) else {"someone": truth}
        self.tls, self.options, self.body, self.clear, self.messages = tls, options, body, clear, messages
        self.attributes = attributes

    @property
    def ident(self):
        return self.name.replace(" ", "-").replace(",", "").replace("'", "")


def cases():
    return [*recipients(), *refusals(), *putting_off(), *lost(), *malformed(), *tls(), *limits(), *lies()]


def recipients():
    g = "Each recipient has its own truth"
    yield Case(g, "4xx and 5xx and 250", {"RCPT b": "450 4.2.1 later", "RCPT c": "550 5.1.1 unknown"},
               {"a": Once(), "b": Later("450 4.2.1 later"), "c": Bounced("5.1.1")})
    yield Case(g, "the same without pipelining", {"RCPT b": "450 4.2.1 later", "RCPT c": "550 5.1.1 unknown"},
               {"a": Once(), "b": Later("450 4.2.1 later"), "c": Bounced("5.1.1")}, extensions=PLAIN)
    yield Case(g, "some taken, then 451 at DATA", {"RCPT c": "550 5.1.1 unknown", "DATA": "451 4.3.0 not now"},
               {"a": Later("451 4.3.0"), "b": Later("451 4.3.0"), "c": Bounced("5.1.1")})
    yield Case(g, "some taken, then 452 at the dot", {"RCPT b": "450 4.2.1 later", "dot": "452 4.3.1 full"},
               {"a": Later("452 4.3.1"), "b": Later("450 4.2.1 later")})
    yield Case(g, "some taken, then 554 at the dot", {"RCPT b": "450 4.2.1 later", "dot": ["554 5.7.1 spam", GOOD["dot"]]},
               {"a": Bounced("5.7.1"), "b": Later("450 4.2.1 later")})
    yield Case(g, "all refused, and 354 to DATA all the same", {"RCPT": "550 5.1.1 unknown", "DATA without recipients": "354 go on"},
               {"a": Bounced("5.1.1"), "b": Bounced("5.1.1")})
    yield Case(g, "all refused in different ways", {"RCPT a": "550 5.1.1 unknown", "RCPT b": "553 5.1.3 what name", "RCPT c": "451 4.2.0 busy"},
               {"a": Bounced("5.1.1"), "b": Bounced("5.1.3"), "c": Later("451 4.2.0")})
    yield Case(g, "552 for too many recipients", {"RCPT b": "552 too many recipients"}, {"a": Once(), "b": Later("552 too many")})
    yield Case(g, "552 for a full mailbox", {"RCPT b": "552 5.2.2 mailbox full"}, {"a": Once(), "b": Bounced("5.2.2")})
    yield Case(g, "251 and 252 are yes", {"RCPT a": "251 2.1.5 will forward", "RCPT b": "252 2.1.5 cannot verify"}, {"a": Once(), "b": Once()})
    yield Case(g, "421 at the second recipient", {"RCPT b": "421 4.7.0 enough"}, {"a": Later("421 4.7.0"), "b": Later("421 4.7.0")})
    yield Case(g, "connection lost at the second recipient", {"RCPT b": DROP}, {"a": Later("4.4.2"), "b": Later("4.4.2")}, extensions=PLAIN)
    yield Case(g, "5xx for one, then the connection is lost", {"RCPT b": "550 5.1.1 unknown", "DATA": DROP},
               {"a": Later("4.4.2"), "b": Bounced("5.1.1")})
    yield Case(g, "a 4xx that is 5xx the next time", {"RCPT b": ["450 4.2.1 later", "550 5.2.1 gone"]}, {"a": Once(), "b": Bounced("5.2.1")})


def refusals():
    g = "Refused for good, at each step"
    for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot"):
        script = {step: "554 5.3.2 not here"}
        if step == "EHLO":
            script["HELO"] = "554 5.3.2 not here"
        yield Case(g, "554 at " + step, script, Bounced("5.3.2"))
    yield Case(g, "500 at EHLO, 250 at HELO", {"EHLO": "500 what?"}, Once())
    yield Case(g, "554 at the greeting, and the connection is closed", {"greeting": lambda t: t.s.sendall(b"554 5.7.1 blocked\r\n") or DROP}, Bounced("5.7.1"))
    yield Case(g, "552 inside the content, and the connection is closed", {"content": lambda t: t.s.sendall(b"552 5.3.4 too long\r\n") or DROP},
               Bounced("5.3.4"), body=("x" * 76 + "\r\n") * 60000)
    yield Case(g, "no enhanced code", {"dot": "550 just no"}, Bounced("5.0.0"))
    yield Case(g, "code 2.x.x on a 5xx", {"dot": "550 2.1.5 contradiction"}, Bounced("5.0.0"))
    yield Case(g, "code 4.x.x on a 5xx", {"RCPT": "550 4.2.2 contradiction"}, Bounced("5.0.0"))
    yield Case(g, "lines with different enhanced codes", {"dot": "550-5.7.1 first\r\n550 5.7.9 second"}, Bounced("5.7.1"))
    yield Case(g, "control and 8-bit octets in the words", {"dot": b"550 5.7.1 a\x1b[2J\x07\xff\xfe\0b\r\n"}, Bounced("5.7.1"))
    yield Case(g, "a thousand lines of words", {"dot": b"550-5.7.1 no\r\n" * 1000 + b"550 5.7.1 no\r\n"}, Bounced("5.7.1"))
    yield Case(g, "555 for parameters", {"MAIL": "555 5.5.4 unknown parameter"}, Bounced("5.5.4"))


def putting_off():
    g = "Put off, at each step"
    for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot"):
        yield Case(g, "450 at " + step, {step: "450 4.7.1 come back"}, Later("450 4.7.1 come back"))
    for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot"):
        yield Case(g, "421 at " + step, {step: "421 4.3.2 closing"}, Later("421 4.3.2 closing"))
    yield Case(g, "421 at HELO", {"EHLO": "502 no", "HELO": "421 4.3.2 closing"}, Later("421 4.3.2 closing"))
    yield Case(g, "421 inside the content", {"content": "421 4.3.2 closing"}, Later("421 4.3.2|4.4.2"), body=("x" * 76 + "\r\n") * 60000)
    yield Case(g, "code 5.x.x on a 4xx", {"RCPT": "450 5.1.1 contradiction"}, Later("450 5.1.1 contradiction"))
    yield Case(g, "greylisted three times", {"RCPT": ["450 4.7.1 greylisted"] * 3 + [GOOD["RCPT"]]}, Once())
    yield Case(g, "a tarpit", {s: Slow(GOOD[s], 0.02) for s in ("greeting", "MAIL", "RCPT", "DATA", "dot")}, Once())
    yield Case(g, "421 to QUIT after a good delivery", {"QUIT": "421 4.3.2 closing"}, Once())
    yield Case(g, "5xx to QUIT after a good delivery", {"QUIT": "500 5.5.1 what?"}, Once())
    yield Case(g, "252 at the dot", {"dot": "252 2.0.0 well"}, Once())


def lost():
    g = "The connection is lost, at each step"
    for how, word in ((DROP, "closed"), (RESET, "reset")):
        for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA"):
            yield Case(g, "%s at %s" % (word, step), {step: how}, Later("4.4.[12]"))
        yield Case(g, word + " inside the content", {"content": how}, Later("4.4.2"), body=("x" * 76 + "\r\n") * 60000)
        yield Case(g, word + " after the dot", {"dot": [how, GOOD["dot"]]}, Once(repeats=1))
        yield Case(g, word + " inside the reply to the dot", {"dot": [lambda t, how=how: t.s.sendall(b"250 2.0") or how, GOOD["dot"]]}, Once(repeats=1))
        yield Case(g, word + " between lines of the reply to the dot",
                   {"dot": [lambda t, how=how: t.s.sendall(b"250-2.0.0 taken\r\n") or how, GOOD["dot"]]}, Once(repeats=1))
        yield Case(g, word + " at QUIT", {"QUIT": how}, Once())
    yield Case(g, "nobody answers QUIT", {"QUIT": lambda t: None}, Once())


def malformed():
    g = "Replies that are none"
    for name, octets in (("words", b"what is this?\r\n"), ("two digits", b"25 ok\r\n"), ("four digits", b"2500 ok\r\n"), ("code 199", b"199 ok\r\n"),
                         ("code 600", b"600 ok\r\n"), ("another separator", b"250_ok\r\n"), ("an empty line", b"\r\n"), ("NUL", b"\0\0\0\r\n"),
                         ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("mixed codes", b"250-ok\r\n550 no\r\n"), ("a lie in the last line", b"550-no\r\n250 ok\r\n")):
        yield Case(g, "%s to MAIL" % name, {"MAIL": octets}, Later("4.5.0"))
    for step in ("greeting", "EHLO", "RCPT", "DATA"):
        yield Case(g, "words at " + step, {step: b"what is this?\r\n"}, Later("4.5.0"))
    yield Case(g, "words at the dot", {"dot": [b"what is this?\r\n", GOOD["dot"]]}, Once(repeats=1))
    yield Case(g, "mixed codes at the dot", {"dot": [b"250-taken\r\n550 no\r\n", GOOD["dot"]]}, Once(repeats=1))
    yield Case(g, "250 to DATA", {"DATA": "250 2.0.0 ok"}, Later("250 2.0.0 ok"))
    yield Case(g, "354 to MAIL", {"MAIL": "354 go on"}, Later("354 go on"))
    yield Case(g, "354 to RCPT", {"RCPT": "354 go on"}, Later("354 go on"))
    yield Case(g, "354 at the dot", {"dot": ["354 go on", GOOD["dot"]]}, Once(repeats=1))
    yield Case(g, "two greetings", {"greeting": b"220 one\r\n220 two\r\n"}, Later("220 two"))
    yield Case(g, "no words", {"MAIL": b"250\r\n", "RCPT": b"250\r\n", "dot": "250"}, Once())
    yield Case(g, "bare LF", {"greeting": b"220 hostile.test\n", "MAIL": b"250 ok\n", "RCPT": b"250 ok\n", "dot": b"250 ok\n"}, Once())
    yield Case(g, "NUL in the words", {"MAIL": b"250 a\0b\r\n"}, Once())
    yield Case(g, "a line of 2,000 octets", {"MAIL": b"250 " + b"x" * 2000 + b"\r\n"}, Once())
    yield Case(g, "a line of 64 KiB", {"MAIL": b"250 " + b"x" * 65536 + b"\r\n"}, Later("too long"))
    yield Case(g, "a reply of 100 KB", {"EHLO": long_reply(250, 100000)}, Later("too long"))
    yield Case(g, "a greeting without an end", {"greeting": endless(b"220-x" * 15 + b"\r\n")}, Later("too long"))
    yield Case(g, "a greeting of one endless line", {"greeting": endless(b"x" * 4096)}, Later("too long"))
    yield Case(g, "a reply to the dot without an end", {"dot": [endless(b"250-x" * 15 + b"\r\n"), GOOD["dot"]]}, Once(repeats=1))


def tls():
    g = "TLS"
    yield Case(g, "not offered", {}, Once(), clear=True)
    yield Case(g, "self-signed", {}, Once(), tls="self-signed", clear=False)
    yield Case(g, "expired", {}, Once(), tls="expired", clear=False)
    yield Case(g, "another name", {}, Once(), tls="other name", clear=False)
    yield Case(g, "454 to STARTTLS", {"STARTTLS": "454 4.7.0 not now"}, Once(), tls="self-signed", clear=True)
    yield Case(g, "502 to STARTTLS", {"STARTTLS": "502 5.5.1 no"}, Once(), tls="self-signed", clear=True)
    yield Case(g, "421 to STARTTLS", {"STARTTLS": "421 4.3.2 closing"}, Later("421 4.3.2"), tls="self-signed", clear=False)
    yield Case(g, "250 to STARTTLS", {"STARTTLS": lambda t: t.send("250 2.0.0 ok") and None}, Later("250 2.0.0 ok"), tls="self-signed", clear=False)
    yield Case(g, "closed at STARTTLS", {"STARTTLS": DROP}, Later("4.4.2"), tls="self-signed", clear=False)
    yield Case(g, "a handshake that fails", {"STARTTLS": alert}, Once(), tls="self-signed", clear=True)
    yield Case(g, "a handshake in clear words", {"STARTTLS": clear_text}, Once(), tls="self-signed", clear=True)
    yield Case(g, "closed inside the handshake", {"STARTTLS": lambda t: t.s.sendall(b"220 go\r\n") or t.s.recv(10) and DROP}, Once(), tls="self-signed", clear=True)
    yield Case(g, "TLS 1.1 at most", {}, Once(), tls="self-signed", tls_options=old_tls, clear=True)
    yield Case(g, "replies behind the 220 (injection)", {"STARTTLS": b"220 go\r\n250-hostile.test\r\n250 SIZE 1\r\n"}, Later("4.7.0"), tls="self-signed", clear=False)
    yield Case(g, "closed after the handshake", {"tls": DROP}, Later("4.4.2"), tls="self-signed", clear=False)
    yield Case(g, "554 to EHLO after the handshake", {"EHLO": ["250-hostile.test\r\n250 STARTTLS", "554 5.3.2 no"], "HELO": "554 5.3.2 no"}, Bounced("5.3.2"),
               tls="self-signed", clear=False)
    yield Case(g, "STARTTLS offered again inside TLS", {"EHLO": "250-hostile.test\r\n250 STARTTLS"}, Once(), tls="self-signed", clear=False)
    yield Case(g, "REQUIRETLS, and the names of the hosts are not secured by DNSSEC", {}, Bounced("5.7.30"), tls="self-signed", options=("REQUIRETLS",), clear=False)


def limits():
    g = "Hosts with limits"
    yield Case(g, "one connection only", {}, Once(), messages=10, limit=1)
    yield Case(g, "421 after two messages", {"MAIL": lambda t: "421 4.7.0 enough for one connection" if t.mails > 2 else GOOD["MAIL"]}, Once(), messages=10)
    yield Case(g, "452 after three recipients", {"RCPT": lambda t: "452 4.5.3 too many" if len(t.rcpts) >= 3 else GOOD["RCPT"]},
               {"r%d" % i: Once() for i in range(8)})
    yield Case(g, "the same without pipelining and enhanced codes", {"RCPT": lambda t: "452 too many" if len(t.rcpts) >= 3 else GOOD["RCPT"]},
               {"r%d" % i: Once() for i in range(8)}, extensions=("8BITMIME",))
    yield Case(g, "LIMITS MAILMAX=2 RCPTMAX=3", {"MAIL": lambda t: "421 4.7.0 enough" if t.mails > 2 else GOOD["MAIL"],
                                                "RCPT": lambda t: "452 4.5.3 too many" if len(t.rcpts) >= 3 else GOOD["RCPT"]},
               {"r%d" % i: Once() for i in range(5)}, messages=4, extensions=(*EXTENSIONS, "LIMITS MAILMAX=2 RCPTMAX=3"))
    yield Case(g, "SIZE smaller than the message", {}, Bounced("5.3.4"), extensions=("PIPELINING", "SIZE 100"))
    yield Case(g, "SIZE without a limit", {}, Once(), extensions=("PIPELINING", "SIZE"))
    yield Case(g, "SIZE 0", {}, Once(), extensions=("PIPELINING", "SIZE 0"))
    yield Case(g, "8-bit content without 8BITMIME", {}, Bounced("5.6.3"), extensions=("PIPELINING",), options=("BODY=8BITMIME",), body="Grüße.\r\n")
    yield Case(g, "a UTF-8 address without SMTPUTF8", {}, {"grün": Bounced("5.6.7")}, extensions=("PIPELINING", "8BITMIME"), options=("SMTPUTF8",))


def lies():
    g = "Announced, and not there"
    yield Case(g, "PIPELINING, but what stands behind a command is lost", {"MAIL": eat_the_rest}, Later("4.4.2"))
    yield Case(g, "CHUNKING, but BDAT is unknown", {}, Once(), extensions=(*EXTENSIONS, "CHUNKING"))
    yield Case(g, "SIZE that is no number", {}, Once(), extensions=("PIPELINING", "SIZE large"))
    yield Case(g, "SIZE of thirty digits", {}, Once(), extensions=("PIPELINING", "SIZE " + "9" * 30))
    yield Case(g, "LIMITS without sense", {}, Once(), messages=3, extensions=(*EXTENSIONS, "LIMITS MAILMAX=0 RCPTMAX=0 RCPTDOMAINMAX=x =1 MAILMAX"))
    yield Case(g, "keywords nobody knows, in any case", {}, Once(), extensions=("pipelining", "X-NOTHING a b c", "8bitmime", "XCLIENT NAME", "", "=x"))
    yield Case(g, "250 lines of keywords", {}, Once(), extensions=tuple("X%d y" % i for i in range(250)))


# ---- the document ----

HEAD = """\
# Hosts that do what they should not, and what becomes of the mail

Each row is a host that the tests make (`tests/system/hostile_server.py`) and send to (`tests/system/test_outward_hostile.py`, real processes). This table is
written by `tests/system/outward_cases.py --write`; `tests/lint/hostile` fails when it is not what the tests hold.

*once*: the host said yes exactly once. *later*: the message waits with this answer, is tried again, and is delivered once when the host has become good.
*returned*: the sender has one report with this status, the host has nothing. *again*: the host had it at the final dot and did not say so, so it gets
it once more; no sender can know (RFC 1047). Hosts that answer nothing at all are in `tests/unit/test_remote.c`, with waits of milliseconds.
"""


def words(truth):
    if isinstance(truth, Once):
        text = "once" + ", again" * bool(truth.repeats)
    elif isinstance(truth, Bounced):
        text = "returned, " + truth.status
    else:
        text = "later: `%s`" % truth.answer.replace("|", "` or `")
    return text


def row(case):
    truths = [words(t) for t in case.truth.values()]
    named = ["%s %s" % pair for pair in zip(case.truth, truths)]
    text = truths[0] if len(set(truths)) == 1 else "; ".join(named)
    text += {True: "; in clear", False: "; nothing in clear", None: ""}[case.clear]
    text += "; %d messages" % case.messages if case.messages > 1 else ""
    return "| %s | %s |" % (case.name, text)


def table():
    lines, group = [HEAD], None
    for case in cases():
        if case.group != group:
            group = case.group
            lines += ["\n## %s\n\n| the host | the mail |\n|---|---|" % group] if len(lines) > 1 else ["## %s\n\n| the host | the mail |\n|---|---|" % group]
        lines.append(row(case))
    return "\n".join(lines) + "\n"


def write(doc, text):
    """With --write into the document, else to look at."""
    if sys.argv[1:] == ["--write"]:
        with open(doc, "w", encoding="utf-8") as f:
            f.write(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    write(DOC, table())
