"""Other mail servers as clients: Postfix, Exim and OpenSMTPD, unpacked by scripts/peers, each in a root directory of its own (chroot; needs
root). Each takes mail on a port of loopback and hands all of it to one other port.

    with make("exim", relay_port, tls=True) as mta:
        mta.send("alice@demo.test", ["bob@demo.test"], b"Subject: x\\r\\n\\r\\nx\\r\\n")
"""
import contextlib
import os
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import threading
import time

import ports
import servers

PEERS = os.path.join(servers.ROOT, "build", "peers")
HOST = "mail.peer.test"


def missing():
    """Why there are none here, or None."""
    if os.geteuid() != 0:
        return "other mail servers change their user: needs root"
    if not os.path.exists(os.path.join(PEERS, "opensmtpd", ".complete")):
        return "other mail servers are not unpacked (scripts/peers)"
    return None


class Mta:
    name = "?"
    extensions = set()  # what its client side knows, where they differ: CHUNKING, PIPELINING, SMTPUTF8
    users = {}          # name: (id, home)
    groups = {}

    host = "127.0.0.1"  # where it listens

    def __init__(self, relay_port, tls):
        self.relay_port, self.tls = relay_port, tls
        self.port = ports.free_port()
        self.process = None

    # ---- its root ----

    def path(self, *parts):
        return os.path.join(self.root, *[p.lstrip("/") for p in parts])

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(path))  # not through a hard link into the unpacked package
        with open(self.path(path), "w") as f:
            f.write(text)

    def directory(self, path, mode=0o755, uid=0, gid=0):
        os.makedirs(self.path(path), exist_ok=True)
        os.chmod(self.path(path), mode)
        os.chown(self.path(path), uid, gid)

    def make_root(self):
        self.root = tempfile.mkdtemp(prefix="run-%s-" % self.name, dir=PEERS)
        os.chmod(self.root, 0o755)
        subprocess.run(["cp", "-al", os.path.join(PEERS, self.name) + "/.", self.root], check=True)
        for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
            os.mknod(self.path("dev", name), 0o020666, os.makedev(1, minor))
            os.chmod(self.path("dev", name), 0o666)
        self.directory("/tmp", 0o1777)
        self.write("/etc/passwd", "root:x:0:0::/root:/bin/false\nnobody:x:65534:65534::/:/bin/false\n" +
                   "".join("%s:x:%d:%d::%s:/bin/false\n" % (n, i, i, home) for n, (i, home) in self.users.items()))
        self.write("/etc/group", "root:x:0:\nnogroup:x:65534:\nmail:x:8:\n" + "".join("%s:x:%d:\n" % g for g in self.groups.items()))
        self.write("/etc/hosts", "127.0.0.1 localhost %s\n" % HOST)
        self.write("/etc/mailname", HOST + "\n")
        self.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    # ---- its life ----

    def __enter__(self):
        self.make_root()
        self.start()
        return self

    def start(self):
        self.configure()
        with open(self.path("/tmp/output"), "ab") as out:
            self.process = subprocess.Popen(["chroot", self.root, *self.command()], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                            env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"}, cwd="/", start_new_session=True)
        try:
            servers.wait_port(self.port, self.process, host=self.host)
        except servers.Failed as e:
            text = self.log()
            self.__exit__()
            raise servers.Failed("%s: %s\n%s" % (self.name, e, text)) from None

    def __exit__(self, *_):
        servers.end(self.process)
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self):
        return self.whole_log()[-6000:]

    def whole_log(self):
        text = ""
        for directory in ("tmp", "var/log", "var/log/exim4"):
            for name in sorted(os.listdir(self.path(directory))) if os.path.isdir(self.path(directory)) else ():
                if os.path.isfile(self.path(directory, name)):
                    with open(self.path(directory, name), errors="replace") as f:
                        text += f.read()
        return text

    def wait_log(self, pattern, seconds=30):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.log()):
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def send(self, sender, recipients, octets, mail=(), rcpt=()):
        """Give it a message to pass on, with these parameters."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            client.ehlo("client.peer.test")
            wanted = {p.split("=")[0] for p in (*mail, *rcpt)}
            assert not ("SMTPUTF8" in wanted and not client.has_extn("smtputf8")), "its server has no SMTPUTF8"
            assert not (wanted & {"NOTIFY", "RET", "ENVID", "ORCPT"} and not client.has_extn("dsn")), "its server has no DSN"
            if "SMTPUTF8" in wanted:
                client.command_encoding = "utf-8"
            refused = client.sendmail(sender, recipients, octets, mail_options=list(mail), rcpt_options=list(rcpt))
            assert refused == {}, refused


# The beginning of main.cf, as Debian's package has it.
POSTFIX_FOLDERS = """\
compatibility_level = 3.6
queue_directory = /var/spool/postfix
data_directory = /var/lib/postfix
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
"""


class Postfix(Mta):
    name = "postfix"
    extensions = {"PIPELINING", "SMTPUTF8"}
    users = {"postfix": (901, "/var/spool/postfix")}
    groups = {"postfix": 901, "postdrop": 902}

    def configure(self):
        self.make_directories()
        self.write("/etc/postfix/main.cf", POSTFIX_FOLDERS + """\
myhostname = %s
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:%d
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtp_tls_security_level = %s
alias_maps =
alias_database =
local_recipient_maps =
maximal_queue_lifetime = 1h
bounce_queue_lifetime = 1h
message_size_limit = 100000000
mailbox_size_limit = 0
maillog_file = /var/log/postfix.log
smtputf8_enable = yes
smtp_line_length_limit = 998
""" % (HOST, self.relay_port, "encrypt" if self.tls else "none"))
        self.write("/etc/postfix/master.cf", "127.0.0.1:%d inet n - n - - smtpd\n" % self.port + "\n".join(self.services()) + "\n")

    @staticmethod
    def services():
        return [line for line in servers.MASTER_CF.splitlines() if "inet n" not in line and not line.startswith("  -o")]

    def make_directories(self):
        shutil.rmtree(self.path("/etc/postfix"), ignore_errors=True)
        self.directory("/var/spool/postfix")
        for sub in "incoming active bounce corrupt defer deferred flush hold saved trace private".split():
            self.directory("/var/spool/postfix/" + sub, 0o700, 901)
        self.directory("/var/spool/postfix/maildrop", 0o730, 901, 902)
        self.directory("/var/spool/postfix/public", 0o710, 901, 902)
        self.directory("/var/spool/postfix/pid")
        self.directory("/var/lib/postfix", 0o755, 901, 901)

    def command(self):
        return ["/usr/lib/postfix/sbin/master", "-s", "-c", "/etc/postfix"]


class Exim(Mta):
    name = "exim"
    extensions = {"PIPELINING", "SMTPUTF8", "CHUNKING"}
    users = {"Debian-exim": (903, "/var/spool/exim4")}
    groups = {"Debian-exim": 903}

    def configure(self):
        self.write("/etc/exim4/exim4.conf", """\
primary_hostname = %s
local_interfaces = 127.0.0.1
daemon_smtp_ports = %d
exim_path = /usr/sbin/exim4
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
keep_environment =
acl_smtp_rcpt = accept
acl_smtp_data = accept
tls_advertise_hosts =
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
message_size_limit = 100M
bounce_return_size_limit = 10K
queue_run_in_order
begin routers
out:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = out
begin transports
out:
  driver = smtp
  port = %d
  allow_localhost
  %s = *
  tls_verify_hosts =
  tls_try_verify_hosts =
begin retry
* * F,1h,1m
""" % (HOST, self.port, self.relay_port, "hosts_require_tls" if self.tls else "hosts_avoid_tls"))
        self.make_directories()

    def make_directories(self):
        for d in ("/var/spool/exim4", "/var/log/exim4", "/var/lib/exim4"):
            self.directory(d, 0o750, 903, 903)
        self.directory("/run/exim4", 0o750, 903, 903)

    def command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q1m", "-oP", "/run/exim4/pid"]


class OpenSmtpd(Mta):
    name = "opensmtpd"
    extensions = set()
    users = {"opensmtpd": (904, "/var/lib/opensmtpd/empty"), "opensmtpq": (905, "/var/lib/opensmtpd/empty")}
    groups = {"opensmtpd": 904, "opensmtpq": 905}

    def configure(self):
        self.write("/etc/smtpd.conf", """\
smtp max-message-size 100M
listen on 127.0.0.1 port %d hostname %s
action "out" relay host "%s://127.0.0.1:%d"%s helo %s
match from any for any action "out"
""" % (self.port, HOST, "smtp+tls" if self.tls else "smtp+notls", self.relay_port, " tls no-verify" if self.tls else "", HOST))
        os.chmod(self.path("/etc/smtpd.conf"), 0o600)
        self.make_directories()

    def make_directories(self):
        self.directory("/var/lib/opensmtpd/empty")
        self.directory("/var/spool/smtpd", 0o711)
        self.directory("/run")
        with contextlib.suppress(FileExistsError):
            os.symlink("/run", self.path("/var/run"))

    def command(self):
        return ["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"]


KINDS = {c.name: c for c in (Postfix, Exim, OpenSmtpd)}


def make(name, relay_port, tls):
    return KINDS[name](relay_port, tls)


class Recorder:
    """A wire between a client and `port` of `host`: passes everything on, and keeps what the client sent, piece by piece as it arrived."""

    def __init__(self, port, host="127.0.0.1"):
        self.to = (host, port)
        self.pieces = []  # (connection, octets)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.count = 0

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.to)
                self.count += 1
                for a, b, number in ((near, far, self.count), (far, near, None)):
                    a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self.carry, args=(a, b, number), daemon=True).start()

    def carry(self, a, b, number):
        with contextlib.suppress(OSError):
            while True:
                octets = a.recv(65536)
                if number:
                    self.pieces.append((number, octets))
                if not octets:
                    b.shutdown(socket.SHUT_WR)
                    return
                b.sendall(octets)

    def text(self):
        return b"".join(o for _, o in self.pieces)
