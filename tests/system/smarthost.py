"""A smarthost, scripted: a mail host that takes mail only from who signs in (RFC 4954), and tells what it saw."""
import base64
import contextlib
import hashlib
import hmac
import os
import socket
import ssl

from outside import Session, Sink, certificate


class Refused(Exception):
    pass


def b64(octets):
    return base64.b64encode(octets).decode()


def attributes(text):
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def end_point():
    """The channel binding tls-server-end-point: SHA-256 of the certificate (RFC 5929 §4.1)."""
    with open(certificate()[0]) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).digest()


class Smarthost(Sink):
    """`users`: name to password or access token; `mechanisms` offered, over TLS only unless `clear`. `signed_in` has (mechanism, user) for each
    sign-in; `tries` each AUTH. taken[i].sender.user says who sent it. `tls12`: no TLS 1.3, where the channel binding is another one. `files`:
    certificate and key."""

    def __init__(self, users, mechanisms=("PLAIN",), tls="good", clear=False, tls12=False, address="127.0.0.1", port=0, files=None, **rest):
        self.users, self.mechanisms, self.clear, self.tls12 = dict(users), list(mechanisms), clear, tls12
        self.signed_in, self.tries, self.shown, self.peers = [], [], files or certificate(), []
        super().__init__(address, name="smart.test", tls=tls, port=port, **rest)

    def close(self):
        super().close()
        self.drop()

    def drop(self):
        """End the sessions that a peer keeps for later."""
        for s in self.peers:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _serve(self, s):
        self.peers.append(s.dup())  # TLS takes the other one over
        with contextlib.suppress(OSError, EOFError, ssl.SSLError):
            AuthSession(self, s).run()
        s.close()

    @property
    def hop(self):
        return "127.0.0.1:%d" % self.port


class Sender(str):
    """A reverse-path, and who had signed in."""


class AuthSession(Session):
    user = None

    def hello(self, text):
        extra = ["AUTH " + " ".join(self.sink.mechanisms)] if (self.over_tls or self.sink.clear) and self.sink.mechanisms else []
        before = self.sink.extensions
        self.sink.extensions = list(before) + extra
        try:
            super().hello(text)
        finally:
            self.sink.extensions = before

    def on_starttls(self, text):
        self.send("220 go")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.sink.tls12:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self.sink.shown)
        self.s = context.wrap_socket(self.s, server_side=True)
        self.f, self.over_tls = self.s.makefile("rb"), True

    def on_mail(self, text):
        if self.user is None:
            self.send("530 5.7.0 sign in first")
        else:
            super().on_mail(text)
            self.sender = Sender(self.sender or "")
            self.sender.user = self.user

    def on_auth(self, text):
        words = text.split(" ")
        mechanism, initial = words[1].upper(), words[2] if len(words) > 2 else None
        with self.sink.lock:
            self.sink.tries.append(mechanism)
        try:
            if mechanism not in self.sink.mechanisms:
                self.send("504 5.5.4 no such mechanism")
                return
            self.user = getattr(self, "by_" + mechanism.lower().replace("-", "_"))(initial)
        except Refused:
            self.send(self.sink.reply_to("AUTH", "535 5.7.8 wrong user or password"))
            return
        with self.sink.lock:
            self.sink.signed_in.append((mechanism, self.user))
            self.sink.lock.notify_all()
        self.send("235 2.7.0 welcome")

    def ask(self, octets=b""):
        self.send("334 " + b64(octets))
        line = self.f.readline().rstrip(b"\r\n").decode()
        if line == "*":
            raise Refused
        return base64.b64decode(line)

    def first(self, initial):
        return base64.b64decode(initial) if initial not in (None, "=") else b"" if initial else self.ask()

    def check(self, user, secret):
        if self.sink.users.get(user) != secret:
            raise Refused
        return user

    def by_plain(self, initial):
        _, user, password = self.first(initial).decode().split("\0")
        return self.check(user, password)

    def by_login(self, initial):
        assert initial is None
        return self.check(self.ask(b"Username:").decode(), self.ask(b"Password:").decode())

    def by_xoauth2(self, initial):
        fields = dict(f.split("=", 1) for f in self.first(initial).decode().split("\1") if f)
        return self.token(fields["user"], fields["auth"])

    def by_oauthbearer(self, initial):
        head, *fields = self.first(initial).decode().split("\1")
        assert head.startswith("n,a=") and head.endswith(",")
        fields = dict(f.split("=", 1) for f in fields if f)
        assert fields["port"] == str(self.sink.port)
        return self.token(head[4:-1], fields["auth"])

    def token(self, user, auth):
        if auth != "Bearer " + self.sink.users.get(user, ""):
            self.ask(b'{"status":"invalid_token"}')
            raise Refused
        return user

    def by_scram_sha_1(self, initial):
        return self.scram(initial, "sha1", None)

    def by_scram_sha_256(self, initial):
        return self.scram(initial, "sha256", None)

    def by_scram_sha_256_plus(self, initial):
        assert self.sink.tls12  # this Python has no exporter
        return self.scram(initial, "sha256", end_point())

    def scram(self, initial, name, binding):
        first = self.first(initial).decode()
        flag, authzid, bare = first.split(",", 2)
        said = attributes(bare)
        assert authzid == "" and flag == ("p=tls-server-end-point" if binding else flag)
        password, salt, nonce = self.sink.users.get(said["n"], "none"), os.urandom(16), said["r"] + b64(os.urandom(12))
        server_first = "r=%s,s=%s,i=4096" % (nonce, b64(salt))
        final = self.ask(server_first.encode()).decode()
        unproved, proof = final.rsplit(",p=", 1)
        assert base64.b64decode(attributes(unproved)["c"]) == (flag + ",,").encode() + (binding or b"") and attributes(unproved)["r"] == nonce
        salted = hashlib.pbkdf2_hmac(name, password.encode(), salt, 4096)
        auth = ("%s,%s,%s" % (bare, server_first, unproved)).encode()
        key = hmac.digest(salted, b"Client Key", name)
        signature = hmac.digest(hashlib.new(name, key).digest(), auth, name)
        if bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature)) != key:
            raise Refused
        assert self.ask(b"v=" + b64(hmac.digest(hmac.digest(salted, b"Server Key", name), auth, name)).encode()) == b""
        return said["n"]
