"""Resolving from the root, as it is without dns.forward: the root's addresses are ours in a network namespace, delegations are followed from there to the
name servers of signed zones, and validated by the key in dns.anchor. The cases are those of dane_cases.py that no forwarder lies about."""
import re
import socket
import subprocess

import pytest

from dane_cases import Bounced, Case, Later, Once, cases
from server import until
from test_outward_hostile import Reports, shown
from test_zones import Post, World, directory, files, is_reported, log_of, submit, waits  # noqa: F401
from zones import missing

if missing():
    pytest.skip("not here: %s (packages knot, bind9-utils)" % ", ".join(missing()), allow_module_level=True)

# What every resolver is built with; by IPv6 nobody is there.
ROOT = ("198.41.0.4 199.9.14.201 170.247.170.2 192.33.4.12 199.7.91.13 192.203.230.10 192.5.5.241 192.112.36.4 198.97.190.53 192.36.148.17 "
        "192.58.128.30 193.0.14.129 199.7.83.42 202.12.27.33").split()
LEAVES, SILENT, NOBODY = "10.9.0.53", "10.9.0.54", "10.9.0.55"
GROUPS = ("No TLSA records", "The addresses of a host", "The domain")
ALL = [c for c in cases() if c.group in GROUPS and not c.faults] + [
    Case("", "delegated to where nobody is", Later(r"4\.4\.3 DNS gave no answer for MX"), hosts={}, zone="away"),
    Case("", "delegated to a server that says nothing", Later(r"4\.4\.3 DNS gave no answer for MX"), hosts={}, zone="silent")]


@pytest.fixture(scope="module")
def net(world):
    """`world` of conftest.py is the namespace."""
    for address in ROOT:
        subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=True, capture_output=True)
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind((SILENT, 53))
        yield


@pytest.fixture(scope="module")
def made(net, directory, files):  # noqa: F811
    """The world, and what is made in it for each case."""
    w = World(directory, files, address=LEAVES, port=53, top=ROOT)
    for zone, server in (("away", NOBODY), ("silent", SILENT)):
        w.zones.zone(zone + ".example", None, lame=server)
    for z in w.zones.zones.values():
        z.forge = [f for f in z.forge if z.name in {c.zone + ".example" for c in ALL}]
    posts = {c.ident: Post(i, c, w) for i, c in enumerate(ALL)}
    w.zones.serve()
    yield w, posts
    for p in posts.values():
        p.close()
    w.zones.close()


@pytest.fixture(scope="module")
def server(made):
    with made[0].server(None, POSTRIDER_ANCHOR=made[0].zones.anchor) as s:
        yield s


@pytest.fixture(scope="module")
def posts(made, server):
    submit(server, made[1].values())
    return made[1]


@pytest.fixture(scope="module")
def reports(server, posts):
    return Reports(server)


@pytest.mark.parametrize("case", ALL, ids=lambda c: c.ident)
def test_from_the_root(server, posts, reports, case):
    post, truth = posts[case.ident], case.truth
    if isinstance(truth, Bounced):
        is_reported(reports, post)
    elif isinstance(truth, Once):
        post.sinks[truth.host].wait(1, 40)
        until(lambda: shown(server, post.id, post.address) is None, "is not gone")
        assert re.search(r'tls="?[^"]*%s' % truth.tls, log_of(server, post)[-1]), log_of(server, post)
    else:
        answer = waits(server, post)
        assert re.search(truth.answer, answer), answer
        assert post.mails() == [] and not reports.about(post.address)
