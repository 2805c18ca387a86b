#!/usr/bin/python3
"""What DNSSEC, TLSA records, MTA-STS, routes and senders say of a domain, and what must become of its mail: the cases of test_zones.py.

usage: tests/system/dane_cases.py [--write]     print the table of docs/dane-cases.md, or write it there; tests/lint/hostile holds them together
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from outward_cases import Bounced, write  # noqa: E402
from zones import NODATA, NXDOMAIN, REFUSED, SERVFAIL, SILENT  # noqa: E402

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "dane-cases.md")

EE, TA, PKI, ANY, CLEAR = "verified by DANE-EE", "verified by DANE-TA", "verified by authorities", "unverified", "in clear"


# ---- what must become of it ----

class Once:
    """Delivered, once, to this host of the case, which got that far with TLS."""

    def __init__(self, tls, host="mx"):
        self.tls, self.host = tls, host


class Later:
    """Waits with this answer (a regular expression); no host has seen anything of the message, and nobody is told. `mend` is what becomes better
    then, and it is delivered, once: "host" offers TLS with the first certificate that its records name; "dns" answers as it should. None: it waits
    until the end of the test."""

    def __init__(self, answer, mend=None):
        self.answer, self.mend = answer, mend


class Host:
    """certificate: of test_zones.Files; a "ta" one is made for the `name` ({h}: the host's own, {d}: the domain).
    tls: as of outside.Sink."""

    def __init__(self, certificate="own", name="{h}", tls="good", promises=()):
        self.certificate, self.name, self.tls, self.promises = certificate, name, tls, promises


class Case:
    """A domain {d}, which is a name of its own in `zone`, with mail hosts LABEL.{d} in `hosts`, in this order of preference.

    tlsa      by label: ["own 3 1 1", ...] certificate, usage, selector, matching; or "3 1 1 0f0f"; "port" in a name below is the hosts' port
    mx        False: no MX records are made
    records   others: "OWNER TYPE DATA" with {d}, {a} and {b} the first two hosts' addresses, {port}
    plain     hosts that get no address record here
    faults    of DNS: (name, type) to what zones.Front says; {d} and {port} as above
    unasked   types and names that must not be asked
    mail      the domain that is sent to
    sts       "MODE HOST": an MTA-STS policy
    route     words of `route add`; options, field: of the message
    report    the result types of the TLS report by policy, "success" among them; None: does not matter
    """

    def __init__(self, group, name, truth, tlsa=None, hosts=None, zone="nsec", **more):
        self.group, self.name, self.truth, self.zone = group, name, truth, zone
        self.hosts = {"mx": Host()} if hosts is None else hosts
        self.tlsa = {"mx": tlsa} if isinstance(tlsa, list) else tlsa or {}
        self.mx, self.records, self.plain, self.faults = True, (), (), {}
        self.mail, self.unasked, self.sts, self.route, self.options, self.field, self.report = "{d}", (), None, (), (), "", None
        assert set(more) <= set(vars(self)), more
        vars(self).update(more)

    @property
    def ident(self):
        return self.name.replace(" ", "-").replace(",", "").replace(":", "").replace("'", "")


def cases():
    return [*certificates(), *unusable(), *denials(), *failing(), *addresses(), *domains(), *others(), *senders()]


OTHER = ["other 3 1 1"]  # of a certificate that the host does not have
OWN = ["own 3 1 1"]
PROVE = r"4\.7\.5 .*DANE.*the host cannot prove who it is"
SECOND = {"mx": Host(), "mx2": Host()}


def certificates():
    g = "Records and certificates"
    for kind in ("3 1 1", "3 0 1", "3 1 2", "3 0 2", "3 1 0", "3 0 0"):
        yield Case(g, kind + ", and it matches", Once(EE), ["own " + kind], report={"tlsa": {"success"}})
    yield Case(g, "3 1 1, the certificate is expired", Once(EE), ["expired 3 1 1"], {"mx": Host("expired")}, report={"tlsa": {"success"}})
    yield Case(g, "3 1 1, and it does not match", Later(PROVE, "host"), ["other 3 1 1"], report={"tlsa": {"validation-failure", "success"}})
    yield Case(g, "two 3 1 1, one matches: keys roll over", Once(EE), ["other 3 1 1", "own 3 1 1"], report={"tlsa": {"success"}})
    yield Case(g, "3 1 2 does not match, 3 1 1 does: the strongest digest counts", Later(PROVE), ["other 3 1 2", "own 3 1 1"])
    yield Case(g, "3 0 2 does not match, 3 1 1 does: another selector", Once(EE), ["other 3 0 2", "own 3 1 1"])
    yield Case(g, "40 records, by TCP, one matches", Once(EE), ["3 1 1 %064x" % (i << 240) for i in range(39)] + ["own 3 1 1"])
    yield Case(g, "the first host does not match, the second does", Once(EE, "mx2"), {"mx": OTHER, "mx2": OWN}, SECOND,
               report={"tlsa": {"validation-failure", "success"}})
    yield Case(g, "one address of the host does not match, the other does", Once(EE), OWN, {"mx": Host(), "mx2": Host("other")}, mx=False, plain=["mx2"],
               records=["{d} MX 10 mx.{d}.", "mx.{d} A {b}"])
    yield Case(g, "the first host does not match, the second has no records", Once(ANY, "mx2"), {"mx": OTHER}, SECOND)
    yield Case(g, "STARTTLS is not offered", Later(r"4\.7\.10 .*DANE.*does not offer it", "host"), OWN, {"mx": Host(tls=None)},
               report={"tlsa": {"starttls-not-supported", "success"}})
    yield Case(g, "454 to STARTTLS", Later(r"454 4\.7\.0 not now", "host"), OWN, {"mx": Host(tls="declined")}, report={"tlsa": {"starttls-not-supported", "success"}})
    yield Case(g, "the handshake fails", Later(r"4\.7\.5 .*DANE.*the handshake failed", "host"), OWN, {"mx": Host(tls="broken")},
               report={"tlsa": {"validation-failure", "success"}})
    for kind in ("2 1 1", "2 0 1", "2 1 2"):
        yield Case(g, kind + ", the certificate is for the host", Once(TA), ["ta " + kind], {"mx": Host("ta")}, report={"tlsa": {"success"}})
    yield Case(g, "2 1 1, the certificate is for the domain", Once(TA), ["ta 2 1 1"], {"mx": Host("ta", "{d}")})
    yield Case(g, "2 1 1, the certificate is for a wildcard", Once(TA), ["ta 2 1 1"], {"mx": Host("ta", "*.{d}")})
    yield Case(g, "2 1 1, an authority between it and the certificate", Once(TA), ["ta 2 1 1"], {"mx": Host("ta below")})
    yield Case(g, "2 1 1 of the authority between", Once(TA), ["between 2 1 1"], {"mx": Host("ta below")})
    yield Case(g, "2 1 1, the certificate is for another name", Later(PROVE), ["ta 2 1 1"], {"mx": Host("ta", "elsewhere.example")},
               report={"tlsa": {"certificate-host-mismatch"}})
    yield Case(g, "2 1 1, the certificate is expired", Later(PROVE), ["ta 2 1 1"], {"mx": Host("ta expired")}, report={"tlsa": {"certificate-expired"}})
    yield Case(g, "2 1 1, the certificate is of an authority of the web", Later(PROVE), ["ta 2 1 1"], {"mx": Host("web")},
               report={"tlsa": {"validation-failure"}})
    yield Case(g, "2 1 1, the host does not send its authority", Later(PROVE), ["ta 2 1 1"], {"mx": Host("ta alone")},
               report={"tlsa": {"validation-failure"}})
    yield Case(g, "2 0 0, the host does not send its authority: DNS has it", Once(TA), ["ta 2 0 0"], {"mx": Host("ta alone")})
    yield Case(g, "2 1 1 and 3 1 1, only the second matches", Once(EE), ["ta 2 1 1", "own 3 1 1"])


def unusable():
    g = "Records that cannot be used"
    encrypted = {"tlsa": {"tlsa-invalid"}}
    for name, record in (("usage 0", "own 0 1 1"), ("usage 1, and it matches", "own 1 1 1"), ("usage 4", "4 1 1 " + "00" * 32), ("usage 255", "255 1 1 " + "00" * 32),
                         ("selector 2", "3 2 1 " + "00" * 32), ("matching 3", "3 1 3 " + "00" * 32), ("a digest that is too short", "3 1 1 " + "00" * 31),
                         ("a digest that is too long", "3 1 2 " + "00" * 65), ("3 1 0 that is no key", "3 1 0 " + "00" * 40),
                         ("2 0 0 that is no certificate", "2 0 0 " + "00" * 40)):
        yield Case(g, name, Once(ANY), [record], report=encrypted)
    yield Case(g, "usage 1, STARTTLS is not offered", Later(r"4\.7\.10 .*DANE.*does not offer it", "host"), ["own 1 1 1"], {"mx": Host(tls=None)})
    yield Case(g, "usage 1, the handshake fails", Later(r"4\.7\.5 .*DANE.*the handshake failed"), ["own 1 1 1"], {"mx": Host(tls="broken")})
    yield Case(g, "usage 1 and 3, and 3 matches", Once(EE), ["other 1 1 1", "own 3 1 1"])
    yield Case(g, "usage 1 and 3, and only 1 matches", Later(PROVE), ["own 1 1 1", "other 3 1 1"])


def denials():
    g = "No TLSA records"
    none = {"no-policy-found": {"success"}}
    for zone, name in (("nsec", "NSEC"), ("nsec3", "NSEC3"), ("optout", "NSEC3 with opt-out")):
        yield Case(g, "no such name, by " + name, Once(ANY), zone=zone, report=none)
        yield Case(g, "no such type, by " + name, Once(ANY), zone=zone, records=["_{port}._tcp.mx.{d} TXT x"], report=none)
    yield Case(g, "and STARTTLS is not offered", Once(CLEAR), hosts={"mx": Host(tls=None)}, report={"no-policy-found": {"starttls-not-supported"}})
    yield Case(g, "TLSA of another port", Once(ANY), records=["_1._tcp.mx.{d} TLSA 3 1 1 " + "00" * 32])
    yield Case(g, "TLSA by a wildcard", Once(EE), records=["*._tcp.mx.{d} TLSA {own 3 1 1}"], report={"tlsa": {"success"}})
    yield Case(g, "TLSA by a wildcard, and it does not match", Later(PROVE), records=["*._tcp.mx.{d} TLSA {other 3 1 1}"], zone="nsec3")
    yield Case(g, "TLSA by an alias", Once(EE), records=["_{port}._tcp.mx.{d} CNAME _dane.{d}.", "_dane.{d} TLSA {own 3 1 1}"])
    yield Case(g, "TLSA by an alias of all ports (DNAME)", Once(EE), records=["_tcp.mx.{d} DNAME _dane.{d}.", "_{port}._dane.{d} TLSA {own 3 1 1}"])
    yield Case(g, "TLSA by an alias into another signed zone", Later(PROVE),
               records=["_{port}._tcp.mx.{d} CNAME {d}.nsec3.example.", "{d}.nsec3.example TLSA {other 3 1 1}"])
    yield Case(g, "TLSA by an alias into an unsigned zone", Once(ANY), records=["_{port}._tcp.mx.{d} CNAME {d}.open.example.", "{d}.open.example TLSA {other 3 1 1}"])


TLSA = ("_{port}._tcp.mx.{d}", "TLSA")


def failing():
    g = "TLSA records that cannot be had: the host is passed over"
    no_answer, bogus = r"4\.7\.5 DNS gave no answer for TLSA", r"4\.7\.5 DNSSEC validation failed for TLSA"
    for zone in ("nsec", "nsec3"):
        by = zone.upper()
        yield Case(g, "an attacker says that there are none, %s" % by, Later(bogus), OWN, zone=zone, faults={TLSA: NODATA}, report={"tlsa": {"dnssec-invalid"}})
        yield Case(g, "an attacker says that there is no such name, %s" % by, Later(bogus), OWN, zone=zone, faults={TLSA: NXDOMAIN})
    yield Case(g, "an attacker says so where there really are none", Later(bogus), records=["_{port}._tcp.mx.{d} TXT x"], faults={TLSA: NODATA})
    yield Case(g, "an attacker's own record", Later(bogus), OTHER, zone="forged-tlsa")
    yield Case(g, "SERVFAIL", Later(no_answer, "dns"), OWN, faults={TLSA: SERVFAIL}, report={"tlsa": {"dnssec-invalid", "success"}})
    yield Case(g, "REFUSED", Later(no_answer, "dns"), OWN, faults={TLSA: REFUSED})
    yield Case(g, "SERVFAIL, and the host does not offer STARTTLS", Later(no_answer), OWN, {"mx": Host(tls=None)}, faults={TLSA: SERVFAIL})
    yield Case(g, "no answer in time", Later(no_answer, "dns"), OWN, faults={TLSA: SILENT})
    yield Case(g, "SERVFAIL for the first host, the second has none", Once(ANY, "mx2"), OWN, SECOND, faults={TLSA: SERVFAIL})
    yield Case(g, "SERVFAIL for the first host, the second matches", Once(EE, "mx2"), {"mx": OWN, "mx2": OWN}, SECOND, faults={TLSA: SERVFAIL})


def addresses():
    g = "The addresses of a host"
    here = {"mx": Host()}
    no_tlsa = ["TLSA _{port}._tcp.mx.{d}", "TLSA _{port}._tcp.{d}.open.example", "TLSA _{port}._tcp.{d}.alien.example"]
    for zone, name in (("open", "an unsigned zone"), ("alien", "a zone signed in a way that nobody knows")):
        yield Case(g, "in " + name, Once(ANY), hosts=here, mx=False, plain=["mx"], unasked=no_tlsa, faults={("_{port}._tcp.{d}.%s.example" % zone, "TLSA"): SERVFAIL},
                   records=["{d} MX 10 {d}.%s.example." % zone, "{d}.%s.example A {a}" % zone])
    yield Case(g, "AAAA: SERVFAIL, A is secure", Once(EE), OWN, faults={("mx.{d}", "AAAA"): SERVFAIL})
    yield Case(g, "A: SERVFAIL at the first host", Once(EE, "mx2"), {"mx2": OWN}, SECOND, faults={("mx.{d}", "A"): SERVFAIL})
    yield Case(g, "A: SERVFAIL", Later(r"4\.4\.3 DNS gave no answer for A mx\.", "dns"), OWN, faults={("mx.{d}", "A"): SERVFAIL})
    yield Case(g, "A: an attacker's", Later(r"4\.4\.3 DNSSEC validation failed for A mx\."), zone="forged-a")
    yield Case(g, "alias, all secure, TLSA at its end", Once(EE, "end"), {"end": OWN, "mx": OTHER}, plain=["mx"], hosts={"mx": Host(), "end": Host()},
               mx=False, records=["{d} MX 10 mx.{d}.", "mx.{d} CNAME end.{d}."])
    yield Case(g, "alias, all secure, over two zones, TLSA at its end", Once(TA), plain=["mx"], hosts={"mx": Host("ta", "{d}.nsec3.example")},
               records=["mx.{d} CNAME c.{d}.", "c.{d} CNAME {d}.nsec3.example.", "{d}.nsec3.example A {a}", "_{port}._tcp.{d}.nsec3.example TLSA {ta 2 1 1}"])
    yield Case(g, "alias, all secure, TLSA of its own name only", Once(EE), OWN, plain=["mx"], records=["mx.{d} CNAME end.{d}.", "end.{d} A {a}"])
    yield Case(g, "alias, all secure, TLSA at its end cannot be used, its own does not match", Once(ANY), OTHER, plain=["mx"],
               records=["mx.{d} CNAME end.{d}.", "end.{d} A {a}", "_{port}._tcp.end.{d} TLSA {own 1 1 1}"])
    yield Case(g, "alias, all secure, TLSA at its end: SERVFAIL", Later(r"4\.7\.5 DNS gave no answer for TLSA _\d+\._tcp\.end"), OWN, plain=["mx"],
               faults={("_{port}._tcp.end.{d}", "TLSA"): SERVFAIL}, records=["mx.{d} CNAME end.{d}.", "end.{d} A {a}", "_{port}._tcp.end.{d} TLSA {own 3 1 1}"])
    yield Case(g, "alias into an unsigned zone, TLSA of its own name", Once(EE), OWN, plain=["mx"], records=["mx.{d} CNAME {d}.open.example.", "{d}.open.example A {a}"],
               unasked=["TLSA _{port}._tcp.{d}.open.example"])
    yield Case(g, "alias into an unsigned zone, and its own does not match", Later(PROVE), OTHER, plain=["mx"],
               records=["mx.{d} CNAME {d}.open.example.", "{d}.open.example A {a}"])
    yield Case(g, "alias in an unsigned zone, to a signed one with TLSA", Once(ANY), mx=False, plain=["mx"],
               unasked=["TLSA _{port}._tcp.{d}.open.example", "TLSA _{port}._tcp.end.{d}"],
               records=["{d} MX 10 {d}.open.example.", "{d}.open.example CNAME end.{d}.", "end.{d} A {a}", "_{port}._tcp.end.{d} TLSA {other 3 1 1}"])


def domains():
    g = "The domain"
    yield Case(g, "in an unsigned zone, the host has TLSA", Once(ANY), mx=False, plain=["mx"], zone="open", unasked=["TLSA _{port}._tcp.{d}.nsec.example"],
               records=["{d} MX 10 {d}.nsec.example.", "{d}.nsec.example A {a}", "_{port}._tcp.{d}.nsec.example TLSA {other 3 1 1}"])
    yield Case(g, "in a zone signed in a way that nobody knows, the host has TLSA", Once(ANY), mx=False, plain=["mx"], zone="alien",
               records=["{d} MX 10 {d}.nsec.example.", "{d}.nsec.example A {a}", "_{port}._tcp.{d}.nsec.example TLSA {other 3 1 1}"])
    yield Case(g, "no MX, proved: the domain is the host, with TLSA", Once(EE), mx=False, plain=["mx"], records=["{d} A {a}", "_{port}._tcp.{d} TLSA {own 3 1 1}"])
    yield Case(g, "no MX, proved: the domain is the host, and does not match", Later(PROVE), mx=False, plain=["mx"], zone="nsec3",
               records=["{d} A {a}", "_{port}._tcp.{d} TLSA {other 3 1 1}"])
    yield Case(g, "MX by a wildcard", Once(EE), OWN, mx=False, zone="nsec3", records=["*.wild.{d} MX 10 mx.{d}."], mail="any.wild.{d}")
    yield Case(g, "an alias, all secure", Once(EE), OWN, mx=False, records=["{d} CNAME real.{d}.", "real.{d} MX 10 mx.{d}."])
    yield Case(g, "an alias in an unsigned zone", Once(ANY), mx=False, plain=["mx"], zone="open",
               records=["{d} CNAME {d}.nsec.example.", "{d}.nsec.example MX 10 mx.{d}.nsec.example.", "mx.{d}.nsec.example A {a}",
                        "_{port}._tcp.mx.{d}.nsec.example TLSA {other 3 1 1}"])
    for zone in ("nsec", "nsec3", "optout", "open"):
        yield Case(g, "no such domain, %s" % {"open": "in an unsigned zone", "optout": "NSEC3 with opt-out"}.get(zone, "proved by " + zone.upper()), Bounced("5.1.2"),
                   hosts={}, zone=zone)
    yield Case(g, "null MX, proved", Bounced("5.1.10"), hosts={}, records=["{d} MX 0 ."])
    yield Case(g, "neither MX nor address, proved", Bounced("5.4.4"), hosts={}, records=["{d} TXT x"])
    bogus = r"4\.4\.3 DNSSEC validation failed for MX"
    yield Case(g, "MX: an attacker's", Later(bogus), faults={("{d}", "MX"): [(10, "evil.open.example")]})
    yield Case(g, "MX: an attacker's, with a signature that is not for it", Later(bogus), zone="forged-mx")
    yield Case(g, "MX: an attacker's null MX", Later(bogus), faults={("{d}", "MX"): [(0, "")]})
    yield Case(g, "MX: an attacker says that there is none", Later(bogus), faults={("{d}", "MX"): NODATA})
    yield Case(g, "MX: an attacker says that there is no such domain", Later(bogus), zone="nsec3", faults={("{d}", "MX"): NXDOMAIN})
    yield Case(g, "signatures are expired", Later(bogus), zone="expired")
    yield Case(g, "the parent has another key", Later(bogus), zone="strange")
    yield Case(g, "the keys of the zone cannot be had", Later(bogus), zone="keyless", faults={("keyless.example", "DNSKEY"): SERVFAIL})
    no_answer = r"4\.4\.3 DNS gave no answer for MX"
    yield Case(g, "MX: SERVFAIL", Later(no_answer, "dns"), OWN, faults={("{d}", "MX"): SERVFAIL})
    yield Case(g, "MX: REFUSED", Later(no_answer, "dns"), OWN, faults={("{d}", "MX"): REFUSED})
    yield Case(g, "MX: no answer in time", Later(no_answer, "dns"), OWN, faults={("{d}", "MX"): SILENT})
    yield Case(g, "delegated to a server that does not have it", Later(no_answer), hosts={}, zone="lame")


def others():
    g = "MTA-STS and routes"
    dane = {"tlsa": {"success"}}
    yield Case(g, "enforce names another host, TLSA matches", Once(EE), OWN, sts="enforce else.example", report=dane)
    yield Case(g, "enforce is content, TLSA does not match", Later(PROVE), OTHER, {"mx": Host("web")}, sts="enforce mx.{d}", report={"tlsa": {"validation-failure"}})
    yield Case(g, "enforce is content, TLSA: SERVFAIL", Later(r"4\.7\.5 DNS gave no answer for TLSA"), OWN, {"mx": Host("web")},
               sts="enforce mx.{d}", faults={TLSA: SERVFAIL})
    yield Case(g, "enforce is content, no TLSA", Once(PKI), hosts={"mx": Host("web")}, sts="enforce mx.{d}", report={"sts": {"success"}})
    yield Case(g, "enforce is not content, no TLSA", Later(r"4\.7\.5 .*MTA-STS.*cannot prove"), sts="enforce mx.{d}", report={"sts": {"certificate-not-trusted"}})
    yield Case(g, "enforce is content, TLSA cannot be used", Once(PKI), ["own 1 1 1"], {"mx": Host("web")}, sts="enforce mx.{d}", report={"tlsa": {"tlsa-invalid"}})
    yield Case(g, "enforce is not content, TLSA cannot be used", Later(r"4\.7\.5 .*MTA-STS.*cannot prove"), ["own 1 1 1"], sts="enforce mx.{d}")
    yield Case(g, "testing is not content, TLSA matches", Once(EE), OWN, sts="testing else.example", report=dane)
    rule = lambda tls: ("--to", "{d}", "--tls", tls)  # noqa: E731
    yield Case(g, "--tls dane, TLSA matches", Once(EE), OWN, route=rule("dane"), report=dane)
    yield Case(g, "--tls dane, TLSA does not match", Later(r"4\.7\.5 .*The route requires TLS.*cannot prove"), OTHER, route=rule("dane"))
    yield Case(g, "--tls dane, no TLSA", Later(r"4\.7\.5 The route requires DANE of .*no secure TLSA"), route=rule("dane"), report={"tlsa": {"dane-required"}})
    yield Case(g, "--tls dane, TLSA cannot be used", Later(r"4\.7\.5 The route requires DANE of .*none of its TLSA"), ["own 1 1 1"], route=rule("dane"))
    yield Case(g, "--tls dane, TLSA: SERVFAIL", Later(r"4\.7\.5 DNS gave no answer for TLSA", "dns"), OWN, route=rule("dane"), faults={TLSA: SERVFAIL})
    yield Case(g, "--tls dane, the domain is in an unsigned zone", Later(r"4\.7\.5 The route requires DANE of"), zone="open", route=rule("dane"))
    yield Case(g, "--tls never, TLSA", Once(CLEAR), OTHER, route=rule("never"), unasked=["TLSA _{port}._tcp.mx.{d}"])
    yield Case(g, "--tls may, TLSA does not match", Once(ANY), OTHER, route=rule("may"), unasked=["TLSA _{port}._tcp.mx.{d}"])
    yield Case(g, "--tls encrypt, TLSA does not match", Once(ANY), OTHER, route=rule("encrypt"), unasked=["TLSA _{port}._tcp.mx.{d}"])
    yield Case(g, "--tls verify, TLSA does not match", Once(PKI), OTHER, {"mx": Host("web")}, route=rule("verify"), unasked=["TLSA _{port}._tcp.mx.{d}"])
    via = ("--to", "{d}", "--via", "mx.{d}.nsec.example:{port}")
    relay = ["mx.{d}.nsec.example A {a}"]
    yield Case(g, "--via a host with TLSA that matches", Once(EE), mx=False, plain=["mx"], zone="open", route=via,
               records=[*relay, "_{port}._tcp.mx.{d}.nsec.example TLSA {own 3 1 1}"])
    yield Case(g, "--via a host with TLSA that does not match", Later(PROVE), mx=False, plain=["mx"], zone="open", route=via,
               records=[*relay, "_{port}._tcp.mx.{d}.nsec.example TLSA {other 3 1 1}"])


def senders():
    g = "What the sender wants"
    require, promise = ("REQUIRETLS",), {"promises": ("REQUIRETLS",)}
    yield Case(g, "REQUIRETLS, TLSA matches", Once(EE), OWN, {"mx": Host(**promise)}, options=require)
    yield Case(g, "REQUIRETLS, TLSA matches, the host does not promise it", Bounced("5.7.30"), OWN, options=require)
    yield Case(g, "REQUIRETLS, TLSA does not match", Bounced("5.7.10"), OTHER, {"mx": Host(**promise)}, options=require)
    yield Case(g, "REQUIRETLS, no TLSA, the name is secure", Once(PKI), hosts={"mx": Host("web", **promise)}, options=require)
    yield Case(g, "REQUIRETLS, no TLSA, nobody vouches for the host", Bounced("5.7.10"), hosts={"mx": Host(**promise)}, options=require)
    yield Case(g, "REQUIRETLS, the domain is in an unsigned zone", Bounced("5.7.30"), hosts={"mx": Host("web", **promise)}, zone="open",
               options=require)
    yield Case(g, "REQUIRETLS, TLSA: SERVFAIL", Later(r"4\.7\.5 DNS gave no answer for TLSA", "dns"), OWN, {"mx": Host(**promise)}, options=require,
               faults={TLSA: SERVFAIL})
    yield Case(g, "REQUIRETLS, MX: an attacker's", Later(r"4\.4\.3 DNSSEC validation failed for MX"), options=require, faults={("{d}", "MX"): NODATA})
    yield Case(g, "TLS-Required: No, TLSA does not match", Once(ANY), OTHER, field="TLS-Required: No\r\n")
    yield Case(g, "TLS-Required: No, STARTTLS is not offered", Once(CLEAR), OWN, {"mx": Host(tls=None)}, field="TLS-Required: No\r\n")
    yield Case(g, "TLS-Required: No, TLSA: SERVFAIL", Once(ANY), OTHER, faults={TLSA: SERVFAIL}, field="TLS-Required: No\r\n")
    yield Case(g, "TLS-Required: No, and --tls dane, TLSA does not match", Later(r"4\.7\.5 .*The route requires TLS.*cannot prove"), OTHER, field="TLS-Required: No\r\n",
               route=("--to", "{d}", "--tls", "dane"))


# ---- the document ----

HEAD = """\
# What a domain says of its mail hosts' keys, and what becomes of the mail

Each row is a domain that the tests make and send to (`tests/system/test_zones.py`): zones that are really signed (BIND's tools), served by a name server
(Knot DNS), validated by real processes from the root's key on, hosts that speak TLS. This table is written by `tests/system/dane_cases.py --write`;
`tests/lint/hostile` fails when it is not what the tests hold. The rules are in `concepts/outward-tls.md`.

If a row says nothing else, the domain and its one host are in a signed zone, the host offers STARTTLS with a self-signed certificate for another name,
and DNS answers. *once*: delivered once, and how TLS was proved. *later*: it waits, `queue show` says why, no host has seen anything of it
(nothing of it went in clear), and the sender is told of no failure; then, where a row says *mended*, the host or DNS is as it should be and the message is
delivered once; the others are tried again and wait.
*returned*: the sender has one report with this status. The last column is what the report to the domain counts (RFC 8460, `postrider tlsrpt`).
"""


def words(case):
    t = case.truth
    if isinstance(t, Bounced):
        return "returned, " + t.status
    if isinstance(t, Once):
        return "once, %s" % t.tls + " by the second host" * (t.host == "mx2")
    return "later: `%s`" % plain(t.answer) + ("; mended: once" if t.mend else "")


def plain(pattern):
    return pattern.replace("\\.", ".").replace("\\d+", "PORT").replace(".*", " ... ").replace("  ", " ")


def reported(case):
    return "; ".join("%s: %s" % (policy, ", ".join(sorted(results))) for policy, results in (case.report or {}).items())


def table():
    lines, group = [HEAD], None
    for case in cases():
        if case.group != group:
            group = case.group
            lines.append("%s## %s\n\n| the domain | the mail | the report |\n|---|---|---|" % ("\n" * (len(lines) > 1), group))
        lines.append("| %s | %s | %s |" % (case.name, words(case), reported(case)))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write(DOC, table())
