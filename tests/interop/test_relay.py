"""Mail that goes out: Postrider hands it to Postfix, which delivers or refuses it."""
import os

import pytest
import servers
from mailbox_ import message, smtp, wait_for


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Postrider that relays to Postfix and Dovecot of another domain."""
    if "postrider" not in os.environ.get("POSTRIDER_INTEROP", "postrider"):
        pytest.skip("about Postrider itself")
    if os.geteuid() != 0:
        pytest.skip("Postfix and Dovecot need root")
    if not os.path.exists("/usr/lib/postfix/sbin/master") or not os.path.exists("/usr/sbin/dovecot"):
        pytest.skip("Postfix and Dovecot are not installed (scripts/deps bench)")
    base = tmp_path_factory.mktemp("relay")
    for path in (base, base.parent, base.parent.parent):
        path.chmod(0o755)
    (base / "far").mkdir()
    (base / "near").mkdir()
    with servers.Reference(str(base / "far"), 3, domain="far.test") as far:
        with servers.Postrider(str(base / "near"), 3, relay=f"127.0.0.1:{far.ports['smtp']}") as near:
            yield near, far


def test_delivered(pair):
    near, far = pair
    body = "\r\n".join([".", "..", "x" * 900, "gr\u00fc\u00df"]) + "\r\n"
    with smtp(near, near.accounts[0]) as client:
        client.sendmail(near.accounts[0][0], [far.accounts[0][0], far.accounts[1][0]],
                        message(near.accounts[0][0], far.accounts[0][0], "going out", body).encode(), ["BODY=8BITMIME"])
    for account in far.accounts[:2]:
        assert wait_for(far, account, "Subject: going out").endswith(b"\r\n\r\n" + body.encode())


def test_large(pair):
    """Content that is kept in a file on its way."""
    near, far = pair
    body = ("z" * 70 + "\r\n") * 40_000
    with smtp(near, near.accounts[0]) as client:
        client.sendmail(near.accounts[0][0], [far.accounts[2][0]], message(near.accounts[0][0], far.accounts[2][0], "large", body))
    assert wait_for(far, far.accounts[2], "Subject: large").endswith(body.encode())


def test_refused_comes_back(pair):
    near, far = pair
    with smtp(near, near.accounts[1]) as client:
        client.sendmail(near.accounts[1][0], ["nobody-at-all@far.test"], message(near.accounts[1][0], "nobody-at-all@far.test", "lost"))
    report = wait_for(near, near.accounts[1], "nobody-at-all@far.test")
    assert b"multipart/report" in report and b"Status: 5.1.1" in report and b"Action: failed" in report


def test_some_refused(pair):
    near, far = pair
    with smtp(near, near.accounts[2]) as client:
        client.sendmail(near.accounts[2][0], ["nobody-else@far.test", far.accounts[0][0]],
                        message(near.accounts[2][0], far.accounts[0][0], "half lost"))
    wait_for(far, far.accounts[0], "Subject: half lost")
    assert b"nobody-else@far.test" in wait_for(near, near.accounts[2], "nobody-else@far.test")
