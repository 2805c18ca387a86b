#!/usr/bin/python3
"""Writes signed_zone.h: the answers of a DNS server for the signed zone signed.test and, insecure, open.test, until 2090."""
import sys

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype as T
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

ZONE = dns.name.from_text("signed.test.")
BEGIN, END = 1735689600, 3786912000  # 2025, 2090: less than 2^31 seconds
KEY = ec.generate_private_key(ec.SECP256R1())
DNSKEY = dns.dnssec.make_dnskey(KEY.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)


def rrset(name, kind, *data):
    return dns.rrset.from_text(name, 3600, "IN", kind, *data)


def signed(rr, broken=False):
    sig = dns.dnssec.sign(rr, KEY, ZONE, DNSKEY, inception=BEGIN, expiration=END)
    if broken:
        wire = bytearray(sig.to_wire())
        wire[-1] ^= 1
        sig = dns.rdata.from_wire("IN", T.RRSIG, bytes(wire), 0, len(wire))
    return [rr, dns.rrset.from_rdata(rr.name, rr.ttl, sig)]


def soa():
    return signed(rrset("signed.test.", "SOA", "ns.signed.test. root.signed.test. 1 3600 600 86400 3600"))


def nsec(name, following, types):
    return signed(rrset(name, "NSEC", following + " " + types))


KEYS = rrset("signed.test.", "DNSKEY", DNSKEY.to_text())
ANSWERS = [  # name, type, answer, authority, rcode
    ("signed.test.", "DNSKEY", signed(KEYS), [], 0),
    ("a.signed.test.", "A", signed(rrset("a.signed.test.", "A", "192.0.2.1")), [], 0),
    ("c.signed.test.", "A", signed(rrset("c.signed.test.", "CNAME", "a.signed.test.")) + signed(rrset("a.signed.test.", "A", "192.0.2.1")), [], 0),
    ("out.signed.test.", "A", signed(rrset("out.signed.test.", "CNAME", "a.open.test.")) + [rrset("a.open.test.", "A", "192.0.2.2")], [], 0),
    ("out.signed.test.", "CNAME", signed(rrset("out.signed.test.", "CNAME", "a.open.test.")), [], 0),
    ("a.open.test.", "A", [rrset("a.open.test.", "A", "192.0.2.2")], [], 0),
    ("c.open.test.", "A", [rrset("c.open.test.", "CNAME", "a.signed.test.")] + signed(rrset("a.signed.test.", "A", "192.0.2.1")), [], 0),
    ("bad.signed.test.", "A", signed(rrset("bad.signed.test.", "A", "192.0.2.3"), broken=True), [], 0),
    ("stripped.signed.test.", "TLSA", [], [], 0),
    ("a.signed.test.", "TLSA", [], soa() + nsec("a.signed.test.", "b.signed.test.", "A RRSIG NSEC"), 0),
    ("c.signed.test.", "AAAA", signed(rrset("c.signed.test.", "CNAME", "a.signed.test.")),
     soa() + nsec("a.signed.test.", "b.signed.test.", "A RRSIG NSEC"), 0),
    ("nx.signed.test.", "MX", [], soa() + nsec("mx.signed.test.", "out.signed.test.", "A RRSIG NSEC") +
     nsec("signed.test.", "a.signed.test.", "SOA NS RRSIG NSEC DNSKEY"), 3),
    ("mx.signed.test.", "MX", signed(rrset("mx.signed.test.", "MX", "10 a.signed.test.")), [], 0),
]


def packet(name, kind, answer, authority, rcode):
    m = dns.message.make_response(dns.message.make_query(name, kind, want_dnssec=True), recursion_available=True)
    m.id, m.answer, m.authority = 0, answer, authority
    m.set_rcode(rcode)
    return m.to_wire()


with open(sys.argv[1], "w") as out:
    out.write("/* tests/unit/signed_zone.h - made by make_signed_zone.py. */\n#ifndef SIGNED_ZONE_H\n#define SIGNED_ZONE_H\n\n#include \"base/str.h\"\n\n")
    out.write("#define SIGNED_ZONE_DS \"signed.test. IN DS %s\"\n\n" % dns.dnssec.make_ds(ZONE, KEYS[0], "SHA256").to_text())
    out.write("/* Whole answers; the question stands in them from octet 12 on. */\nstatic const struct str signed_zone[] = {\n")
    for a in ANSWERS:
        text = "".join("\\%03o" % c for c in packet(*a))
        out.write("\t/* %s %s */\n\tSTR(" % (a[0], a[1]) + "\n\t    ".join('"%s"' % text[i:i + 120] for i in range(0, len(text), 120)) + "),\n")
    out.write("};\n\n#endif\n")
