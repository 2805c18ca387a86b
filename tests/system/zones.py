"""DNS with signed zones: made and signed here, served by knotd, behind a forwarder that can fail or lie about any answer.

    zones = Zones(directory)
    zones.zone("signed.example", "nsec3"); zones.add("signed.example", "mx.a.signed.example A 127.0.0.9")
    zones.serve()             signs, from the leaves to the root, and starts knotd; zones.anchor is a file for dns.anchor
    front = Front(zones)      what a resolver is told to ask: dns.forward

Needs no root. Every zone has one key for all; signatures last ten days.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

from outside import NXDOMAIN, SERVFAIL, TYPES, Dns, name_wire, question_read, rdata_wire

REFUSED = 5
TOOLS = ("knotd", "dnssec-keygen", "dnssec-signzone")
DAY = 86400
TOP = ("", "example")


def missing():
    """The programs that are not here."""
    return [t for t in TOOLS if not tool(t)]


def tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")


def free_port(address="127.0.0.1"):
    """Above 10000, for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind((address, port))
                if port > 10000:
                    return port


def run(*words):
    done = subprocess.run([tool(words[0]), *words[1:]], capture_output=True, text=True)
    assert done.returncode == 0, "%s: %s" % (" ".join(words), done.stderr)
    return done.stdout


# ---- zones ----

class Zone:
    """signed   None; "nsec", "nsec3", "optout" (NSEC3 with opt-out, RFC 5155 §6)
    trusted  what the parent says of it: "yes"; "no": no DS; "forged": DS of another key; "unknown": DS of an algorithm that nobody has
    expired  its signatures are, all
    forge    (pattern, text), done to the file after signing: what an attacker would have changed on the way
    lame     delegated, and served by nobody; True, or the address of its name server
    """

    def __init__(self, name, signed, trusted, expired, forge, lame):
        self.name, self.signed, self.trusted, self.expired, self.forge, self.lame = name, signed, trusted, expired, forge, lame
        self.lines, self.serial = [], 1

    @property
    def file(self):
        return (self.name or "root") + ".zone"

    @property
    def server(self):
        return "top.example." if self.name in TOP else "ns.example."


class Zones:
    """All on one address and port; with `top` the root and "example" on others, which a resolver that begins there takes for the root's."""

    def __init__(self, directory, address="127.0.0.1", port=None, top=None):
        self.dir, self.address, self.port, self.top = directory, address, port or free_port(), top
        self.zones, self.servers = {}, []
        self.anchor = os.path.join(directory, "anchor")
        self.zone("", "nsec")
        self.zone("example", "nsec")
        for line in ("ns.example A " + address, "top.example A " + (top or [address])[0]):
            self.add(line)
        self.zones[""].lines.append("top.example. 60 IN A " + (top or [address])[0])  # glue

    def zone(self, name, signed, trusted=None, expired=False, forge=(), lame=False):
        self.zones[name] = Zone(name, signed, trusted or ("yes" if signed else "no"), expired, forge, lame)
        return name

    def zone_of(self, name):
        """The closest one."""
        labels = name.rstrip(".").split(".")
        return next(z for z in (self.zones.get(".".join(labels[i:])) for i in range(len(labels) + 1)) if z)

    def add(self, line):
        """"OWNER TYPE DATA", the owner in full, without the final dot; "OWNER TTL TYPE DATA"."""
        owner, rest = line.split(" ", 1)
        self.zone_of(owner).lines.append("%s. %s" % (owner, rest if rest[0].isdigit() else "60 IN " + rest))

    def serve(self):
        for name in sorted(self.zones, key=lambda n: -len(n.split(".")) if n else 1):
            self._make(self.zones[name])
        served = [z for z in self.zones.values() if not z.lame]
        if self.top:
            self._knot(self.top, [z for z in served if z.name in TOP])
            served = [z for z in served if z.name not in TOP]
        self._knot([self.address], served)

    def replace(self, zone, pattern, text):
        """Changes a record that is there, and signs anew with the same key."""
        z = self.zones[zone]
        lines = [re.sub(pattern, text, line) for line in z.lines]
        assert lines != z.lines
        z.lines, z.serial = lines, z.serial + 1
        self._write(z)
        if z.signed:
            self._sign(z)
        self.servers[-1].reload(z)

    def _knot(self, addresses, zones):
        self.servers.append(Knot(os.path.join(self.dir, "knot-%d" % len(self.servers)), addresses, self.port, zones, self.dir))

    # ---- making them ----

    def _make(self, z):
        self._write(z)
        if z.signed:
            self._key(z)
        ds = self._sign(z) if z.signed else None
        if z.forge:
            self._forge(z)
        if z.name:
            self._delegate(z, ds)
        else:
            with open(self.anchor, "w") as f:
                f.write(ds)
            os.chmod(self.anchor, 0o644)

    def _path(self, z):
        return os.path.join(self.dir, z.file)

    def _write(self, z):
        head = ["$TTL 60", "%s. 60 IN SOA %s root.example. %d 3600 600 86400 60" % (z.name, z.server, z.serial), "%s. 60 IN NS %s" % (z.name, z.server)]
        with open(self._path(z), "w") as f:
            f.write("\n".join(head + z.lines) + "\n")

    def _forge(self, z):
        with open(self._path(z)) as f:
            text = f.read()
        for pattern, new in z.forge:
            text, count = re.subn(pattern, new, text)
            assert count, "nothing to forge: " + pattern
        with open(self._path(z), "w") as f:
            f.write(text)

    def _keys(self, z):
        return os.path.join(self.dir, "keys-" + (z.name or "root"))

    def _key(self, z):
        os.mkdir(self._keys(z))
        run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K", self._keys(z), z.name or ".")

    def _sign(self, z):
        """Its DS record."""
        begin, end = ("now-%d" % (20 * DAY), "now-%d" % (10 * DAY)) if z.expired else ("now-%d" % DAY, "now+%d" % (10 * DAY))
        denial = {"nsec": [], "nsec3": ["-3", "-", "-H", "0"], "optout": ["-3", "-", "-H", "0", "-A"]}[z.signed]
        keys, path = self._keys(z), self._path(z)
        run("dnssec-signzone", "-q", "-S", "-z", "-P", "-K", keys, "-d", keys, "-o", z.name or ".", "-O", "full", "-s", begin, "-e", end, *denial, path)
        os.replace(path + ".signed", path)
        found = next(f for f in os.listdir(keys) if f.startswith("dsset-"))
        with open(os.path.join(keys, found)) as f:
            return f.read()

    def _delegate(self, z, ds):
        parent = self.zone_of(z.name.partition(".")[2])
        parent.lines.append("%s. 60 IN NS %s" % (z.name, "ns.%s." % z.name if isinstance(z.lame, str) else z.server))
        if isinstance(z.lame, str):
            parent.lines.append("ns.%s. 60 IN A %s" % (z.name, z.lame))
        if z.trusted == "yes":
            parent.lines.append(ds)
        elif z.trusted == "forged":
            parent.lines.append("%s. 60 IN DS %s 13 2 %s" % (z.name, ds.split("DS")[1].split()[0], "ab" * 32))
        elif z.trusted == "unknown":
            parent.lines.append("%s. 60 IN DS 4711 200 2 %s" % (z.name, "cd" * 32))

    # ---- serving them ----

    def ask(self, packet, tcp):
        return self.servers[-1].ask(packet, tcp)

    def close(self):
        for k in self.servers:
            k.close()


class Knot:
    """One knotd."""

    def __init__(self, directory, addresses, port, zones, files):
        self.address, self.port, self.log_path = addresses[0], port, directory + ".log"
        os.mkdir(directory)
        config = ["server:", "    rundir: \"%s\"" % directory, "    udp-workers: 1", "    tcp-workers: 1", "    background-workers: 1",
                  "    listen: [%s]" % ", ".join("%s@%d" % (a, port) for a in addresses),
                  "database:", "    storage: \"%s\"" % directory, "    journal-db-max-size: 8M", "    kasp-db-max-size: 8M", "    timer-db-max-size: 8M",
                  "log:", "  - target: stderr", "    any: warning",
                  "template:", "  - id: default", "    storage: \"%s\"" % files, "    zonefile-sync: -1", "    zonefile-load: whole",
                  "    journal-content: none", "    semantic-checks: off", "zone:"]
        config += ["  - domain: \"%s.\"\n    file: \"%s\"" % (z.name, z.file) for z in zones]
        path = os.path.join(directory, "knot.conf")
        with open(path, "w") as f:
            f.write("\n".join(config) + "\n")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([tool("knotd"), "-c", path], stdout=log, stderr=log)
        for z in zones:
            self._wait(z.name, z.serial)

    def reload(self, z):
        self.process.send_signal(signal.SIGHUP)
        self._wait(z.name, z.serial)

    def _wait(self, name, serial, timeout=60):
        """Until it has the zone; its SOA ends in serial and four other numbers."""
        query = query_make(name, "SOA")
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                reply = self.ask(query, False, 0.3)
                if reply[3] & 15 == 0 and reply[7] > 0 and struct.pack("!IIIII", serial, 3600, 600, 86400, 60) in reply:
                    return
            time.sleep(0.02)
        self.close()
        with open(self.log_path, errors="replace") as f:
            raise AssertionError("knotd does not serve %s.: %s" % (name, f.read()))

    def ask(self, packet, tcp, timeout=5):
        """The answer to a packet."""
        with socket.socket(type=socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            s.connect((self.address, self.port))
            if not tcp:
                s.sendall(packet)
                return s.recv(65536)
            s.sendall(struct.pack("!H", len(packet)) + packet)
            with s.makefile("rb") as f:
                return f.read(struct.unpack("!H", f.read(2))[0])

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def query_make(name, kind):
    return struct.pack("!HHHHHH", 4711, 0, 1, 0, 0, 0) + name_wire(name) + struct.pack("!HH", TYPES[kind], 1)


# ---- the forwarder ----

SILENT, NODATA = "no answer", "unsigned NODATA"


class Front(Dns):
    """Hands questions on to the zones' server and its answers back, RRSIGs and all, and claims that it has validated them (AD).
    `faults` by (name, type) or name says what it does instead:

    SERVFAIL, REFUSED, SILENT         no answer
    NXDOMAIN, NODATA, [value, ...]    a lie, without signatures

    `strip`: it knows nothing of DNSSEC, as many routers. `asked` has each (name, type) in order.
    """

    def __init__(self, zones, strip=False):
        self.zones, self.strip, self.faults = zones, strip, {}
        super().__init__("127.0.0.1", free_port())

    def asks(self, name):
        """The types that somebody asked about a name."""
        return {kind for asked, kind in list(self.asked) if asked == name}

    def _answer(self, packet, tcp):
        name, kind, question = question_read(packet)
        self.asked.append((name, kind))
        fault = self.faults.get((name, kind), self.faults.get(name))
        if fault == SILENT:
            return None, 0
        if fault is not None:
            return self._lie(packet, question, kind, fault), 0
        if self.strip:  # the question alone, without EDNS: nobody sends RRSIGs then
            packet = packet[:4] + struct.pack("!HHHH", 1, 0, 0, 0) + question
        reply = bytearray(self.zones.ask(packet, tcp))
        if not reply[2] & 0x04 and reply[3] & 15 == 0 and reply[6:8] == b"\0\0":  # delegated, and this is the server of all
            return self._lie(packet, question, kind, SERVFAIL), 0
        reply[2] &= ~0x04  # it is no authority
        reply[3] |= 0x80 | 0x20
        return bytes(reply), 0

    @staticmethod
    def _lie(packet, question, kind, fault):
        values = fault if isinstance(fault, list) else []
        rcode = fault if isinstance(fault, int) else 0
        data = [rdata_wire(kind, v) for v in values]
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", TYPES[kind], 1, 60, len(d)) + d for d in data)
        return packet[:2] + struct.pack("!HHHHH", 0x81a0 | rcode, 1, len(values), 0, 0) + question + records


__all__ = ["NODATA", "NXDOMAIN", "REFUSED", "SERVFAIL", "SILENT", "Front", "Zones", "missing"]
