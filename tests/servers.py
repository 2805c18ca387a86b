"""Servers under test, each started below one directory on loopback and ended by its process id.

Postrider: `postrider demo` (binary: POSTRIDER_BIN, else the newest build/*/postrider).
Reference: Postfix and Dovecot with a configuration of their own; needs root, as both drop privileges.

A server has: name, ports (dict: smtp, submission, submissions, imap, imaps), domain, accounts (list of (address, login,
password)), start(), stop(), pids() (all its processes), drained() (nothing waits in its queue), problems() (warnings in its log).
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import ports

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DOMAIN = "demo.test"
PASSWORD = "correct-horse-1"
NAMES = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]


class Failed(Exception):
    pass


def account_name(i):
    return NAMES[i] if i < len(NAMES) else f"user{i + 1}"


def wait_port(port, process, seconds=30, host="127.0.0.1"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Failed(f"server ended with {process.returncode} before port {port} was open")
        with socket.socket() as s:
            s.settimeout(1)
            if s.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise Failed(f"port {port} not open after {seconds} s")


def descendants(pid):
    """pid and all processes below it."""
    children = {}
    for stat in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(stat) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.split("/")[2]))
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        todo += children.get(p, [])
    return found


def end(process, seconds=20):
    """SIGTERM to a process that we started, SIGKILL if that does not help."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        left = descendants(process.pid)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()


def make_certificate(directory):
    cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True)
    return cert, key


class Server:
    name = "?"
    poll_s = 0.02  # how often it is asked whether its queue is empty
    hold = False   # for who measures: let the processes that deliver stand still

    def __init__(self, directory, accounts=8, domain=DOMAIN):
        self.dir = directory
        self.base = ports.free_base()
        self.ports = {n: self.base + p for n, p in
                      dict(smtp=25, lmtp=24, submission=587, submissions=465, imap=143, imaps=993, pop3=110, pop3s=995).items()}
        self.domain = domain
        self.accounts = [(f"{account_name(i)}@{domain}", f"{account_name(i)}@{domain}", PASSWORD) for i in range(accounts)]
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def write_accounts(self, path_rcpts, path_logins):
        with open(path_rcpts, "w") as f:
            f.writelines(a + "\n" for a, _, _ in self.accounts)
        with open(path_logins, "w") as f:
            f.writelines(f"{u} {p}\n" for _, u, p in self.accounts)

    def wait_drained(self, seconds=300):
        limit = time.monotonic() + seconds
        while not self.drained():
            if time.monotonic() > limit:
                raise Failed(f"{self.name}: queue not empty after {seconds} s")
            time.sleep(self.poll_s)


# ---- Postrider ----

def postrider_binary():
    given = os.environ.get("POSTRIDER_BIN")
    if given:
        return os.path.abspath(given)
    built = [p for p in glob.glob(os.path.join(ROOT, "build", "*", "**", "postrider"), recursive=True)
             if os.path.isfile(p) and os.access(p, os.X_OK)]
    return max(built, key=os.path.getmtime) if built else None


class Postrider(Server):
    name = "postrider"
    poll_s = 0.1  # each time is a process

    def __init__(self, directory, accounts=8, lab=True, dns=None, relay=None, hold=False, environment=None, settings=None):
        super().__init__(directory, accounts)
        self.environment = environment or {}
        self.settings = settings  # {(section, name): value}: as `serve` with them, not as a demo and not in the lab
        self.hold = hold
        self.log_path = os.path.join(directory, "postrider.log")
        self.binary = postrider_binary()
        self.args = ["--lab"] * lab + (["--dns", dns] if dns else []) + (["--relay", relay] if relay else [])

    def start(self):
        if not self.binary:
            raise Failed("no postrider binary: set POSTRIDER_BIN")
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [self.binary, "demo", "--dir", os.path.join(self.dir, "data"), "--port-base", str(self.base),
             "--accounts", str(len(self.accounts)), "--password", PASSWORD] + self.args,
            stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={**os.environ, **self.environment})
        try:
            for p in ("smtp", "submission", "submissions", "imap", "imaps"):
                wait_port(self.ports[p], self.process)
            self.wait_line("Postrider is running")  # its accounts are there, and its own message was read
            if self.settings is not None:
                self.serve()
            self.wait_drained(60)
        except Failed as e:
            self.stop()
            with open(self.log_path, errors="replace") as f:
                raise Failed(f"{e}\n{f.read()[-3000:]}") from None

    def serve(self):
        """In place of the demo, with other settings. A listener takes "0.0.0.0" too."""
        end(self.process)
        path = os.path.join(self.dir, "data", "postrider.conf")
        with open(path) as f:
            text = f.read()
        for (section, name), value in self.settings.items():
            block = re.search(r"(?ms)^%s \{\n.*?^\}" % section, text) if section else re.search("(?s).*", text)
            if not block or not re.search(r"(?m)^\s*%s = " % name, block[0]):
                raise Failed(f"there is no setting {section}.{name}")
            changed = re.sub(r"(?m)^(\s*)%s = .*$" % name, lambda m: "%s%s = %s" % (m[1], name, value), block[0], count=1)
            text = text[:block.start()] + changed + text[block.end():]
        with open(path, "w") as f:
            f.write(text)
        self.process = subprocess.Popen([self.binary, "serve", "--config", path], stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, env={**os.environ, **self.environment})
        for p in ("smtp", "submission", "submissions", "imap", "imaps"):
            wait_port(self.ports[p], self.process)

    def wait_line(self, text, seconds=120):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and self.process.poll() is None:
            with open(self.log_path, errors="replace") as f:
                if text in f.read():
                    return
            time.sleep(0.05)
        raise Failed(f"{self.name} does not say {text!r}")

    def stop(self):
        end(self.process)
        self.log.close()

    def restart(self):
        self.stop()
        self.start()

    def pids(self):
        return descendants(self.process.pid)

    def command(self, *args):
        """A command of the command line against this server; its JSON."""
        config = os.path.join(self.dir, "data", "postrider.conf")
        done = subprocess.run([self.binary, *args, "--config", config, "--json"], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"postrider {' '.join(args)}: exit {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def drained(self):
        return self.command("status")["queue"]["messages"] == 0

    def problems(self):
        with open(self.log_path, errors="replace") as f:
            return [line.rstrip() for line in f if re.search(r"\blvl=(warn|error)\b|runtime error:|AddressSanitizer", line)]


# ---- Postfix and Dovecot ----

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {d}/postfix/queue
data_directory = {d}/postfix/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = {mailbox_maps}
virtual_transport = {transport}
alias_maps =
alias_database =
local_recipient_maps =
smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 100
default_destination_concurrency_limit = 20
initial_destination_concurrency = 20
in_flow_delay = 0
message_size_limit = 52428800
mailbox_size_limit = 0
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_sasl_auth_enable = {sasl}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {d}/dovecot/auth-client
smtpd_tls_auth_only = yes
bounce_queue_lifetime = 0
{extra}
"""

MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{submission} inet n - n - - smtpd
  -o syslog_name=submission
127.0.0.1:{submissions} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""

# Settings that stand twice: the last counts.
RELAY_CF = """\
smtp_dns_support_level = enabled
smtp_host_lookup = dns
smtp_tls_security_level = none
smtpd_recipient_limit = 2000
minimal_backoff_time = 300s
"""

DOVECOT_CONF = """\
base_dir = {d}/dovecot/run
state_dir = {d}/dovecot/state
instance_name = test{base}
log_path = {d}/dovecot.log
listen = 127.0.0.1
protocols = {protocols}
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = {format}:{d}/mail/%Ln/{sub}
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
default_vsz_limit = 0
default_client_limit = 20000
default_process_limit = 200
mail_max_userip_connections = 0
mail_fsync = {fsync}
verbose_proctitle = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {d}/dovecot/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {d}/dovecot/users
}}
namespace inbox {{
  inbox = yes
  mailbox Drafts {{
    auto = create
    special_use = \\Drafts
  }}
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
  mailbox Archive {{
    auto = create
    special_use = \\Archive
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
  service_count = 0
  process_min_avail = 2
  process_limit = 4
  client_limit = {logins}
}}
service imap {{
  process_limit = {logins}
  client_limit = 1
}}
service lmtp {{
  process_min_avail = 4
  unix_listener {d}/dovecot/lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  unix_listener {d}/dovecot/auth-client {{
    mode = 0666
  }}
}}
service stats {{
  client_limit = 20000
}}
service anvil {{
  client_limit = 20000
}}
{extra}
"""


POP3_CONF = """\
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
"""


class Reference(Server):
    """Postfix with Dovecot behind it (delivery: lmtp), or alone (discard, hold; relay: it sends to where DNS says)."""

    def __init__(self, directory, accounts=8, delivery="lmtp", hibernate=False, mail_format="sdbox", log=False, own_uids=False, domain=DOMAIN, pop3=False,
                 stored=None, remember=False):
        super().__init__(directory, accounts, domain)
        self.name = "postfix" if delivery != "lmtp" else "postfix+dovecot"
        self.delivery, self.hibernate, self.format, self.logged = delivery, hibernate, mail_format, log
        self.own_uids = own_uids  # an inotify instance each, of which a user may have few
        self.dovecot = None
        self.pop3 = pop3
        self.stored, self.remember = stored, remember  # how passwords are kept ("{SCHEME}..."), else in clear; is a right one remembered?

    def configure(self):
        d = self.dir
        os.chmod(d, 0o755)
        self.cert, self.key = make_certificate(d)
        for sub in ("postfix/etc", "postfix/queue", "postfix/data", "dovecot/run", "dovecot/state", "mail"):
            os.makedirs(os.path.join(d, sub))
        shutil.chown(os.path.join(d, "postfix/data"), "postfix", "postfix")
        os.chmod(os.path.join(d, "mail"), 0o1777)
        with open(os.path.join(d, "postfix/etc/boxes"), "w") as f:
            f.writelines(f"{a} {a}\n" for a, _, _ in self.accounts)
        subprocess.run(["/usr/sbin/postmap", "-c", "/etc/postfix", f"texthash:{d}/postfix/etc/boxes"], capture_output=True)
        extra = f"maillog_file = {d}/postfix.log\nmaillog_file_prefixes = {d}\n" if self.logged else ""
        if self.delivery == "relay":
            extra += RELAY_CF
        if self.delivery == "hold":
            extra += "smtpd_end_of_data_restrictions = check_client_access static:HOLD\n"
        values = dict(d=d, domain=self.domain, cert=self.cert, key=self.key, extra=extra, base=self.base, **self.ports,
                      sasl="yes" if self.delivery == "lmtp" else "no", mailbox_maps=f"texthash:{d}/postfix/etc/boxes",
                      transport=f"lmtp:unix:{d}/dovecot/lmtp" if self.delivery == "lmtp" else "discard:")
        with open(os.path.join(d, "postfix/etc/main.cf"), "w") as f:
            f.write(MAIN_CF.format(**values))
        with open(os.path.join(d, "postfix/etc/master.cf"), "w") as f:
            f.write(MASTER_CF.format(**values))
        hibernate = "imap_hibernate_timeout = 2s\nservice imap-hibernate {\n  client_limit = 20000\n  unix_listener imap-hibernate {\n" \
                    "    mode = 0666\n  }\n}\nservice imap {\n  unix_listener imap-master {\n    mode = 0666\n  }\n}\n"
        values.update(protocols="imap lmtp pop3" if self.pop3 else "imap lmtp", uid="nobody", gid="nogroup", format=self.format, fsync="optimized", sub="mail",
                      logins=max(2000, len(self.accounts) + 1000), extra=(hibernate if self.hibernate else "") + (POP3_CONF.format(**self.ports) if self.pop3 else "") + ("auth_cache_size = 10M\n" if self.remember else ""))
        with open(os.path.join(d, "dovecot/dovecot.conf"), "w") as f:
            f.write(DOVECOT_CONF.format(**values))
        with open(os.path.join(d, "dovecot/users"), "w") as f:
            for i, (_, u, p) in enumerate(self.accounts):
                uid = str(100000 + i) if self.own_uids else ""
                f.write(f"{u}:{self.stored or '{PLAIN}' + p}:{uid}:{uid}::{d}/mail/{u.split('@')[0]}::\n")

    def start(self):
        self.configure()
        self.launch()

    def restart(self):
        self.stop()
        self.launch()

    def launch(self):
        d = self.dir
        log = open(os.path.join(d, "start.log"), "ab")
        try:
            if self.delivery == "lmtp":
                self.dovecot = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", f"{d}/dovecot/dovecot.conf"], stdout=log, stderr=log)
                wait_port(self.ports["imaps"], self.dovecot)
            subprocess.run(["/usr/sbin/postfix", "-c", f"{d}/postfix/etc", "check"], stdout=log, stderr=log)  # makes the queue
            # `postfix start-fg` would leave a shell between us and the master, which does not pass a signal on.
            self.process = subprocess.Popen(["/usr/lib/postfix/sbin/master", "-s", "-c", f"{d}/postfix/etc"], stdout=log, stderr=log,
                                            env=dict(os.environ, MAIL_CONFIG=f"{d}/postfix/etc"))
            wait_port(self.ports["smtp"], self.process)
        except Failed as e:
            self.stop()
            texts = [open(p, errors="replace").read()[-1500:] for p in glob.glob(f"{d}/*.log")]
            raise Failed("\n".join([str(e)] + texts)) from None

    def stop(self):
        end(self.process)
        end(self.dovecot)

    def pids(self):
        return sum((descendants(p.pid) for p in (self.process, self.dovecot) if p), [])

    def drained(self):
        for queue in ("incoming", "active", "maildrop", "deferred"):
            for _, _, files in os.walk(os.path.join(self.dir, "postfix/queue", queue)):
                if files:
                    return False
        return True

    def problems(self):
        return []


def login_tls_context():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
