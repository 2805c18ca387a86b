"""What smarthosts and endpoints must prove before they see a secret; access tokens, fetched over HTTPS, used by all deliveries, fetched anew when they
end."""
import contextlib
import http.server
import json
import os
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
import threading
import urllib.parse

import pytest

from server import BIN, free_base, until
from smarthost import Smarthost

USER = "us@smart.test"
CONFIG = """data = "%(dir)s/data"
hostname = "mail.here.test"
dns { forward = "10.9.0.53@53" }
tls { authorities = "%(dir)s/ca.pem" }
listen { smtp = {"127.0.0.1:%(port)d"} submission = {} submissions = {} imap = {} imaps = {} }
queue { retry_first = "1s" retry_max = "2s" }
"""


class Endpoint:
    """Gives `token` for the refresh token; `answer`: (status, body) instead. `asked` has the forms."""

    def __init__(self, directory):
        self.token, self.answer, self.asked, self.seconds = "ya29.one", None, [], 3600
        endpoint = self
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=token.test",
                        "-addext", "subjectAltName=DNS:token.test,DNS:smart.test", "-keyout", directory + "/key", "-out", directory + "/ca.pem"], check=True, capture_output=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.asked.append((self.path, self.headers["Content-Type"], dict(urllib.parse.parse_qsl(form))))
                status, body = endpoint.answer or (200, json.dumps({"access_token": endpoint.token, "expires_in": endpoint.seconds, "token_type": "Bearer"}))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("10.9.0.77", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory + "/ca.pem", directory + "/key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def served(dns):
    directory = tempfile.mkdtemp(prefix="postrider-test.")
    os.chmod(directory, 0o755)  # the remote process, which has a user of its own, reads the authorities
    base = free_base()
    dns.zone["token.test"] = dns.zone["other.test"] = {"A": ["10.9.0.77"]}
    dns.zone["smart.test"] = {"A": ["10.9.0.78"]}
    endpoint = Endpoint(directory)
    path = os.path.join(directory, "postrider.conf")
    with open(path, "w") as f:
        f.write(CONFIG % {"dir": directory, "port": base + 25})
    with open(os.path.join(directory, "log"), "ab") as log:
        process = subprocess.Popen([BIN, "serve", "--config", path], stderr=log)

    class Served:
        expected = ()

        def text(self):
            return open(os.path.join(directory, "log"), errors="replace").read()

        def command(self, *words, input=None):
            done = subprocess.run([BIN, *words, "--config", path], capture_output=True, text=True, timeout=60, input=input)
            assert done.returncode == 0, done.stderr
            return done.stdout

        def send(self, rcpt):
            """By an alias that leads there: nobody has to sign in here."""
            with contextlib.suppress(AssertionError):
                self.command("alias", "add", rcpt.replace("@", ".") + "@here.test", rcpt)
            with smtplib.SMTP("127.0.0.1", base + 25, timeout=30) as s:
                s.sendmail("from@far.test", [rcpt.replace("@", ".") + "@here.test"], "From: from@far.test\r\nSubject: out\r\n\r\nHello.\r\n")

        def answer(self):
            def tried():
                rows = json.loads(self.command("queue", "list", "--json"))["messages"]
                shown = [json.loads(self.command("queue", "show", r["id"], "--json")) for r in rows]
                return [r["answer"] for s in shown for r in s.get("recipients", ()) if r["attempts"] and r["answer"]]
            return until(tried, "nothing waits")[0]

    s = Served()
    s.endpoint, s.files = endpoint, (directory + "/ca.pem", directory + "/key")
    until(lambda: "msg=serving" in s.text(), "no start", 60)
    s.command("domain", "add", "here.test")
    yield s
    process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    endpoint.server.shutdown()
    bad = [l for l in s.text().splitlines() if ("lvl=warn" in l or "lvl=error" in l or "Sanitizer" in l) and not any(e in l for e in s.expected)]
    shutil.rmtree(directory)
    assert code == 0 and not bad, bad


def credentials(s, **changes):
    return json.dumps({"user": USER, "token_endpoint": "https://token.test:%d/oauth2/token?v=2" % s.endpoint.port, "client_id": "id", "client_secret": "hu&sh",
                       "refresh_token": "1//refresh", "scope": "https://mail.test/", **changes})


def test_fetched_once(served):
    with Smarthost({USER: "ya29.one"}, ["PLAIN", "XOAUTH2"]) as host:
        served.command("route", "add", "--via", host.hop, "--oauth-stdin", input=credentials(served))
        for n in range(5):
            served.send("r%d@far.example" % n)
        host.wait(5)
        assert {t.sender.user for t in host.taken} == {USER}
        assert served.endpoint.asked == [("/oauth2/token?v=2", "application/x-www-form-urlencoded",
                                          {"grant_type": "refresh_token", "refresh_token": "1//refresh", "client_id": "id", "client_secret": "hu&sh",
                                           "scope": "https://mail.test/"})]
    for secret in ("1//refresh", "hu&sh", "ya29"):
        assert secret not in served.text() and secret not in served.command("route", "list", "--json")


def test_fetched_anew(served):
    served.endpoint.seconds = 1
    with Smarthost({USER: "ya29.one"}, ["OAUTHBEARER"]) as host:
        served.command("route", "add", "--via", host.hop, "--oauth-stdin", input=credentials(served))
        served.send("a@far.example")
        host.wait(1)
        served.endpoint.token = host.users[USER] = "ya29.two"
        host.drop()
        served.send("b@far.example")
        host.wait(2)
        assert len(served.endpoint.asked) >= 2


@pytest.mark.parametrize("status,body,said", [
    (400, '{"error":"invalid_grant","error_description":"Token has been revoked"}', "invalid_grant: Token has been revoked (HTTP 400)"),
    (503, "busy", "(HTTP 503)"),
    (200, "<html>", "the answer has none"),
])
def test_endpoint_refuses(served, status, body, said):
    served.endpoint.answer = (status, body)
    with Smarthost({USER: "ya29.one"}, ["XOAUTH2"]) as host:
        served.command("route", "add", "--via", host.hop, "--oauth-stdin", input=credentials(served))
        served.send("a@far.example")
        assert said in served.answer()
        assert host.tries == [] and len(served.endpoint.asked) == 1
        served.endpoint.answer = None
        served.command("route", "set", "--oauth-stdin", input=credentials(served))  # other credentials: used at once
        host.wait(1)


def test_endpoint_must_prove_itself(served):
    with Smarthost({USER: "ya29.one"}, ["XOAUTH2"]) as host:
        served.command("route", "add", "--via", host.hop, "--oauth-stdin",
                       input=credentials(served, token_endpoint="https://other.test:%d/oauth2/token" % served.endpoint.port))
        served.send("a@far.example")
        assert "No access token" in served.answer()
        assert served.endpoint.asked == []


# ---- the smarthost ----

def test_host_proves_its_name(served):
    """With credentials that is the default: nobody has to say it."""
    with Smarthost({USER: "pw"}, ["PLAIN"], address="10.9.0.78", files=served.files) as host:
        served.command("route", "add", "--via", "smart.test:%d" % host.port, "--user", USER, "--password-stdin", input="pw\n")
        served.send("a@far.example")
        assert host.wait()[0].sender.user == USER


def test_host_cannot_prove_its_name(served):
    """Another certificate: it sees no password, and the mail waits; unless the rule says that it does not matter."""
    with Smarthost({USER: "pw"}, ["PLAIN"], address="10.9.0.78") as host:
        served.command("route", "add", "--via", "smart.test:%d" % host.port, "--user", USER, "--password-stdin", input="pw\n")
        served.send("a@far.example")
        assert "certificate" in served.answer().lower() or "verif" in served.answer().lower()
        assert host.tries == [] and host.taken == []
        served.command("route", "set", "--tls", "encrypt")
        assert host.wait()[0].sender.user == USER
