"""Mail to domains in zones that are signed, or should be: the cases of dane_cases.py, all at the same time, through one server; then what a
forwarder means that strips DNSSEC, and one that nobody gave a key for. Real name server, real signatures, real TLS; needs no root."""
import os
import re
import smtplib
import tempfile
import time

import pytest

from certs import Certs, tlsa
from dane_cases import CLEAR, Bounced, Case, Host, Later, Once, cases
from outside import EXTENSIONS, Sink
from server import PASSWORD, Server, tls, until
from test_outward_hostile import Reports, shown
from test_sts import PolicyHost, check_report, policy
from zones import Front, Zones, free_port, missing

CASES = cases()

if missing():
    pytest.skip("not here: %s (packages knot, bind9-utils)" % ", ".join(missing()), allow_module_level=True)


# ---- the world ----

@pytest.fixture(scope="module")
def directory():
    with tempfile.TemporaryDirectory(prefix="postrider-test.") as d:
        os.chmod(d, 0o755)  # the roles' users read anchor and authorities there
        yield d


class Files:
    """Certificates by what dane_cases.py calls them."""

    def __init__(self, directory):
        self.certs = Certs(directory)
        self.ta, self.web = self.certs.authority("DANE authority"), self.certs.authority("Web authority")
        self.authorities = {"ta": self.ta, "web": self.web, "between": self.certs.authority("DANE between", self.ta)}
        self.made = {"own": self.certs.leaf("elsewhere.example"), "other": self.certs.leaf("elsewhere.example"), "expired": self.certs.leaf("elsewhere.example", days=-1)}

    def host(self, kind, name):
        if kind in self.made:
            return self.made[kind]
        issuer = {"web": "web", "ta below": "between"}.get(kind, "ta")
        crt, key = self.certs.leaf(name, self.authorities[issuer], -1 if kind == "ta expired" else 2)
        if kind == "ta alone":
            with open(crt) as f:
                first = f.read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
            with open(crt, "w") as f:
                f.write(first)
        return crt, key

    def record(self, text):
        """"own 3 1 1" to the data of a TLSA record; what has no name of a certificate is that data."""
        kind, *numbers = text.split()
        if kind.isdigit():
            return text
        crt = (self.authorities.get(kind) or self.made[kind])[0]
        return tlsa(crt, *map(int, numbers), above=0)


@pytest.fixture(scope="module")
def files(directory):
    path = os.path.join(directory, "certificates")
    os.mkdir(path)
    return Files(path)


class Post:
    """What is made and sent for a case."""

    def __init__(self, number, case, world):
        self.case, self.world, self.id = case, world, None
        self.domain = "c%d.%s.example" % (number, case.zone)
        self.names = {"d": self.domain, "port": world.port, "a": "127.1.%d.1" % (number + 1), "b": "127.1.%d.2" % (number + 1)}
        self.sinks = {}
        for i, (label, host) in enumerate(case.hosts.items()):
            name = "%s.%s" % (label, self.domain)
            address = "127.1.%d.%d" % (number + 1, i + 1)
            files = world.files.host(host.certificate, host.name.format(h=name, **self.names))
            self.sinks[label] = Sink(address, name=name, tls=host.tls, files=files, port=world.port, extensions=(*EXTENSIONS, *host.promises))
            if label not in case.plain:
                world.zones.add("%s A %s" % (name, address))
            if case.mx:
                world.zones.add("%s MX %d %s." % (self.domain, 10 + i, name))
        for label, records in case.tlsa.items():
            for r in records:
                world.zones.add("_%d._tcp.%s.%s TLSA %s" % (world.port, label, self.domain, world.files.record(r)))
        for line in case.records:
            world.zones.add(re.sub(r"\{(\w+ \d \d \d)\}", lambda m: world.files.record(m[1]), line).format(**self.names))
        for (name, kind), fault in case.faults.items():
            world.faults[name.format(**self.names), kind] = fault
        if case.sts:
            self.policy_host(number, *case.sts.format(**self.names).split())

    def policy_host(self, number, mode, mx):
        world, name, address = self.world, "mta-sts." + self.domain, "127.2.%d.1" % (number + 1)
        self.sts = PolicyHost(address, world.files.host("web", name), policy(mode, mx), port=world.https_port)
        world.zones.add('_mta-sts.%s TXT "v=STSv1; id=1;"' % self.domain)
        world.zones.add("%s A %s" % (name, address))

    @property
    def address(self):
        return "someone@" + self.case.mail.format(**self.names)

    def submit(self, client, address=None):
        content = "From: alice@demo.test\r\nTo: %s\r\nSubject: %s\r\n%s\r\nHello.\r\n" % (self.address, self.case.ident, self.case.field)
        assert client.mail("alice@demo.test", list(self.case.options))[0] == 250
        assert client.rcpt(address or self.address)[0] == 250
        code, words = client.data(content.encode())
        assert code == 250, words
        self.id = re.search(rb"queued as (\S+)", words)[1].decode()

    def mend(self, front):
        if self.case.truth.mend == "dns":
            for name, kind in self.case.faults:
                front.faults.pop((name.format(**self.names), kind))
        elif self.case.truth.mend == "host":
            sink = self.sinks["mx"]
            sink.files, sink.tls = self.world.files.made[self.case.tlsa["mx"][0].split()[0]], "good"

    def mails(self):
        """The MAIL commands that its hosts saw, in clear or not."""
        return [c for s in self.sinks.values() for c in s.commands if c.startswith("MAIL")]

    def close(self):
        for s in self.sinks.values():
            s.close()
        if self.case.sts:
            self.sts.close()


class World:
    """Zones, ports and certificates; `where`: of Zones."""

    def __init__(self, directory, files, **where):
        self.files, self.faults = files, {}
        self.port, self.https_port = free_port(), free_port()
        path = os.path.join(directory, "zones")
        os.mkdir(path)
        self.zones = z = Zones(path, **where)
        for name, signed, how in (
                ("nsec", "nsec", {}), ("nsec3", "nsec3", {}), ("optout", "optout", {}), ("open", None, {}), ("lame", None, {"lame": True}), ("keyless", "nsec", {}),
                ("alien", None, {"trusted": "unknown"}), ("strange", "nsec", {"trusted": "forged"}), ("expired", "nsec", {"expired": True}),
                ("forged-tlsa", "nsec", {"forge": [(r"(?m)(TLSA\s+3 1 1 )[0-9A-F]{8}", r"\g<1>00000000")]}),
                ("forged-mx", "nsec", {"forge": [(r"(?m)(\sMX\s+)10 mx", r"\g<1>5 mx")]}),
                ("forged-a", "nsec3", {"forge": [(r"(?m)(\sA\s+127\.1\.\d+\.)1$", r"\g<1>2")]})):
            z.zone(name + ".example", signed, **how)
        z.add("open.example TXT x")

    def environment(self, **more):
        return {"POSTRIDER_REMOTE_PORT": str(self.port), "POSTRIDER_HTTPS_PORT": str(self.https_port), "POSTRIDER_AUTHORITIES": self.files.web[0],
                "POSTRIDER_ACCOUNT_MESSAGES": "0", **more}

    def server(self, front, **more):
        """front None: it resolves from the root."""
        return Server(*(["--dns", "127.0.0.1@%d" % front.port] if front else []), environment=self.environment(**more))


# For tests that are no rows; made beside the others, as zones are signed once.
MATCHES = Case("", "TLSA matches", None, ["own 3 1 1"])
DIFFERS = Case("", "TLSA does not match", None, ["other 3 1 1"], {"mx": Host(tls=None)})
UNSIGNED = Case("", "in an unsigned zone", None, zone="open")
SHARED = Case("", "two domains with the same host", None, ["other 3 1 1"], records=["{d}.open.example MX 10 mx.{d}."])
ROLLED = Case("", "another key", None, records=["_{port}._tcp.mx.{d} 1 TLSA {other 3 1 1}"])
OTHERS = {"stripped": [MATCHES, DIFFERS, UNSIGNED], "keyless": [MATCHES, DIFFERS], "shared": [SHARED], "rolled": [ROLLED]}


@pytest.fixture(scope="module")
def world(directory, files):
    w = World(directory, files)
    w.posts = {case.ident: Post(i, case, w) for i, case in enumerate(CASES)}
    numbers = iter(range(len(CASES), 255))
    w.others = {kind: [Post(next(numbers), case, w) for case in those] for kind, those in OTHERS.items()}
    w.zones.serve()
    yield w
    for post in [*w.posts.values(), *(p for those in w.others.values() for p in those)]:
        post.close()
    w.zones.close()


@pytest.fixture(scope="module")
def front(world):
    f = Front(world.zones)
    f.faults = dict(world.faults)
    yield f
    f.close()


@pytest.fixture(scope="module")
def server(world, front):
    with world.server(front, POSTRIDER_ANCHOR=world.zones.anchor) as s:
        yield s


def submit(server, posts, address=None):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as client:
        client.starttls(context=tls())
        client.login("alice@demo.test", PASSWORD)
        for post in posts:
            post.submit(client, address)


@pytest.fixture(scope="module")
def posts(world, server):
    """Everything is sent at once."""
    for post in world.posts.values():
        if post.case.route:
            server.command("route", "add", *(w.format(**post.names) for w in post.case.route), check=True)
    submit(server, world.posts.values())
    return world.posts


@pytest.fixture(scope="module")
def reports(server, posts):
    return Reports(server)


# ---- the cases ----

def waits(server, post):
    """The answer that it waits with."""
    def ask():
        r = shown(server, post.id, post.address)
        assert r is not None, "%s is not in the queue any more" % post.address
        return r["attempts"] and r["state"] == "pending" and r["answer"]
    return until(ask, "%s is not deferred: %s" % (post.address, shown(server, post.id, post.address)))


def log_of(server, post):
    """Lines of what was delivered or put off of it, in order."""
    domain = re.escape(post.case.mail.format(**post.names))
    return [l for l in server.log_text().splitlines() if re.search(r'msg="remote delivery".*(domain=|host="?mx\.)%s\b' % domain, l)]


def is_reported(reports, post):
    found = until(lambda: reports.about(post.address), "no report about %s" % post.address)
    assert re.search(r"(?m)^Status: %s\b" % re.escape(post.case.truth.status), found[0]), found[0]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.ident)
def test_at_first(server, front, posts, reports, case):
    post, truth = posts[case.ident], case.truth
    if isinstance(truth, Bounced):
        is_reported(reports, post)
    elif isinstance(truth, Once):
        post.sinks[truth.host].wait(1, 40)
    else:
        answer = waits(server, post)
        assert re.search(truth.answer, answer), answer
        assert post.mails() == []
        post.mend(front)


def test_tried_again(server, posts):
    """What was mended goes; what was not, stays, however often it is tried."""
    waiting = {p.id: p for p in posts.values() if isinstance(p.case.truth, Later)}
    stay = {i for i, p in waiting.items() if not p.case.truth.mend}

    def ids():
        return {m["id"] for m in server.command("queue", "list", json_out=True)["messages"]}

    def only_they():
        time.sleep(0.5)
        server.command("queue", "retry", *(ids() - stay))
        return ids() <= stay
    server.command("queue", "retry", *waiting, check=True)
    until(only_they, server.command("queue", "list").stdout, 40)
    assert ids() == stay
    for i in stay:
        r = until(lambda i=i: (lambda r: r["attempts"] > 1 and r["state"] == "pending" and r)(shown(server, i, waiting[i].address)), "is not tried again")
        assert re.search(waiting[i].case.truth.answer, r["answer"]), r


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.ident)
def test_in_the_end(server, front, posts, reports, case):
    post, truth = posts[case.ident], case.truth
    taken = [(label, t) for label, s in post.sinks.items() for t in s.taken]
    assert len(reports.about(post.address)) == isinstance(truth, Bounced)
    assert len(taken) == (isinstance(truth, Once) or isinstance(truth, Later) and truth.mend is not None)
    assert len(post.mails()) == len(taken)
    if isinstance(truth, Once):
        label, t = taken[0]
        assert label == truth.host and t.tls == (truth.tls != CLEAR)
        assert re.search(r'tls="?[^"]*%s' % truth.tls, log_of(server, post)[-1]), log_of(server, post)
    for line in case.unasked:
        kind, name = line.format(**post.names).split()
        assert kind not in front.asks(name)
    if case.report is not None:
        counted(server, post)


def counted(server, post):
    def ask():
        done = server.command("tlsrpt", "show", post.domain, "--json")
        return done if done.returncode == 0 and results(server, post) == post.case.report else None
    until(ask, "%s: %s" % (post.domain, server.command("tlsrpt", "show", post.domain, "--json").stdout), 20)


def results(server, post):
    """{policy: {result types}}, "success" among them."""
    r = server.command("tlsrpt", "show", post.domain, json_out=True)
    check_report(r, post.domain)
    found = {}
    for p in r["policies"]:
        types = found.setdefault(p["policy"]["policy-type"], set())
        types |= {f["result-type"] for f in p.get("failure-details", ())}
        types |= {"success"} if p["summary"]["total-successful-session-count"] else set()
    return found


def test_sni_is_the_name_of_the_records(posts):
    by_name = {p.case.name: p for p in posts.values()}
    for name, want in (("3 1 1, and it matches", "mx.{d}"), ("alias, all secure, TLSA at its end", "end.{d}"),
                       ("alias, all secure, over two zones, TLSA at its end", "{d}.nsec3.example"), ("alias, all secure, TLSA of its own name only", "mx.{d}"),
                       ("alias into an unsigned zone, TLSA of its own name", "mx.{d}"), ("no MX, proved: the domain is the host, with TLSA", "{d}")):
        post = by_name[name]
        assert {n for s in post.sinks.values() for n in s.sni} == {want.format(**post.names)}, name


def test_validation_is_told(server):
    assert re.search(r'msg="DNSSEC validation works" anchor=\.', server.log_text())
    assert re.search(r'msg="bogus DNS answer".*reason=', server.log_text())


# ---- one after the other ----

def test_a_session_without_proof_is_not_used_for_who_wants_it(server, world):
    """Two domains have the same host; only one is signed, and the host has another key than its records say."""
    post = world.others["shared"][0]
    host, unsigned = post.sinks["mx"], "someone@%s.open.example" % post.domain
    submit(server, [post], unsigned)
    assert host.wait(1)[0].rcpts == [unsigned] and host.taken[0].tls
    submit(server, [post])
    assert re.search(r"4\.7\.5 .*DANE.*cannot prove", waits(server, post))
    submit(server, [post], unsigned)
    assert host.wait(2)[1].rcpts == [unsigned]
    assert len(post.mails()) == 2


def test_new_records_are_used_when_the_old_ones_end(server, world):
    """The domain mends its records, not its host; their time to live is a second."""
    post = world.others["rolled"][0]
    submit(server, [post])
    assert re.search(r"4\.7\.5 .*DANE.*cannot prove", waits(server, post))
    other, own = world.files.record("other 3 1 1"), world.files.record("own 3 1 1")
    world.zones.replace("nsec.example", r"(mx\.%s\. 1 TLSA) %s" % (re.escape(post.domain), other), r"\1 " + own)

    def taken():
        server.command("queue", "retry", post.id)
        time.sleep(0.3)
        return post.sinks["mx"].taken
    until(taken, "it does not see the new record")
    assert "verified by DANE-EE" in log_of(server, post)[-1]


# ---- other forwarders ----

def test_forwarder_that_strips_dnssec(world):
    """Whoever takes the signatures away stops the mail; it does not go unprotected. The log says so at the start."""
    posts, front = world.others["stripped"], Front(world.zones, strip=True)
    server = world.server(front, POSTRIDER_ANCHOR=world.zones.anchor)
    server.expect("DNSSEC validation does not work")
    with server:
        submit(server, posts)
        for post in posts:
            assert re.search(r"4\.4\.3 DNSSEC validation failed for MX", waits(server, post))
            assert post.mails() == []
        assert re.search(r'lvl=warn .*msg="DNSSEC validation does not work: every answer will be refused"', server.log_text())
    front.close()


def test_forwarder_without_a_key(world):
    """Nothing is secure then, whatever a forwarder says: no DANE, and the logs say that it is off."""
    (matches, differs), front = world.others["keyless"], Front(world.zones)
    with world.server(front) as server:
        submit(server, [matches, differs])
        assert matches.sinks["mx"].wait()[0].tls and not differs.sinks["mx"].wait()[0].tls
        assert not any(kind == "TLSA" for _, kind in front.asked)
        assert "DANE is off" in server.log_text() and "answers of DNS are not validated" in server.log_text()
    front.close()
