"""Postfix, Exim and OpenSMTPD as receivers of our mail: those of mtas.py with another configuration. Each is the mail exchanger of NAME.test and
clear.NAME.test, on port 25 of an address of its own, in the network namespace of the test (tests/system/outside.py); on port 587 it takes mail
from who has signed in. What it accepts it hands on by LMTP, so that a test sees octets and envelopes; what it writes itself, reports,
goes to demo.test.

    with make("exim", sink, home_port, certs) as peer:
        ...
        peer.restart(busy=False)
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import mtas
import servers

SIZE = 6_000_000  # message size that they announce
USER, PASSWORD = "us", "s3cret-of-ours"
SINK, HOME = "10.9.0.1", "127.0.0.1"


def alive(group):
    """Processes of a group, without those that only nobody has waited for."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/stat" % pid) as f:
            state, _, its = f.read().rsplit(")", 1)[1].split()[:3]
            if int(its) == group and state not in "ZX":
                found.append(int(pid))
    return found


class Receiver:
    """What all have in common. `busy`: deferring busy@; nobody@ is refused always. `dsn`: offering DSN. `certificate`: (certificate, key)."""
    port = 25
    utf8 = chunking = False  # what its server side has
    tls = True
    connected = ended = None           # what its log says of a session
    mechanisms = ()
    user = USER
    ending = signal.SIGTERM

    def __init__(self, sink_port, home_port, certificate):
        self.sink_port, self.home_port = sink_port, home_port
        self.busy, self.dsn, self.certificate = False, True, certificate
        self.process = None

    @property
    def domain(self):
        return self.name + ".test"

    @property
    def domains(self):
        return [prefix + self.domain for prefix in ("", "clear.", "signed-in.")]

    @property
    def hostname(self):
        return "mail." + self.domain

    def install(self, path, file, mode=0o600, uid=0):
        with open(file) as f:
            self.write(path, f.read())
        os.chmod(self.path(path), mode)
        os.chown(self.path(path), uid, -1)

    def certificates(self, uid=0):
        for path, file in zip(("/etc/cert.pem", "/etc/key.pem"), self.certificate):
            self.install(path, file, uid=uid)

    def end(self):
        """All its processes at once, also those in the middle of a message."""
        group = self.process.pid  # it began a session
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, self.ending)
        servers.end(self.process)
        end = time.monotonic() + 10
        while left := alive(group):
            for pid in left if time.monotonic() > end else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)

    def restart(self, **changes):
        self.end()
        for name, value in changes.items():
            setattr(self, name, value)
        self.start()

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.root, ignore_errors=True)

    def sessions(self):
        """How many it had since it was made."""
        return len(re.findall(self.connected, self.whole_log()))


class Postfix(Receiver, mtas.Postfix):
    host = "10.9.0.31"
    utf8 = chunking = True
    connected, ended = r"connect from \S*\[10\.9", r"disconnect from \S*\[10\.9"
    signed_in = r"(?i)sasl_method=%s, sasl_username=us@"
    mechanisms = ("SCRAM-SHA-256", "PLAIN", "LOGIN")  # by Cyrus SASL
    user = USER + "@mail.postfix.test"

    def configure(self):
        self.make_directories()
        self.certificates()
        routes = "".join(", { %s = lmtp:inet:[%s]:%d }" % (d, SINK, self.sink_port) for d in self.domains)
        self.write("/etc/postfix/main.cf", mtas.POSTFIX_FOLDERS + """\
myhostname = %(hostname)s
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_bind_address = 127.0.0.1
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
relay_domains = demo.test, %(domains)s
transport_maps = inline:{ { demo.test = smtp:[127.0.0.1]:%(home_port)d }%(routes)s }
local_header_rewrite_clients =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{ { nobody@ = 550 5.1.1 No such user }%(busy)s }
smtpd_tls_cert_file = /etc/cert.pem
smtpd_tls_key_file = /etc/key.pem
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_discard_ehlo_keywords = %(discard)s
alias_maps =
alias_database =
maximal_queue_lifetime = 1h
bounce_queue_lifetime = 1h
in_flow_delay = 0
message_size_limit = %(size)d
mailbox_size_limit = 0
maillog_file = /var/log/postfix.log
smtputf8_enable = yes
""" % dict(hostname=self.hostname, host=self.host, home_port=self.home_port, routes=routes, size=SIZE, domains=", ".join(self.domains),
           busy=", { busy@ = 450 4.2.1 Mailbox is busy }" if self.busy else "", discard="" if self.dsn else "dsn"))
        self.write("/etc/postfix/master.cf", """\
%(host)s:25 inet n - n - - smtpd
%(host)s:587 inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=cyrus
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
%(services)s
""" % dict(host=self.host, services="\n".join(self.services())))
        self.write("/etc/postfix/sasl/smtpd.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: %s\n" % " ".join(self.mechanisms))
        if not os.path.exists(self.path("/etc/sasldb2")):
            subprocess.run(["chroot", self.root, "/usr/sbin/saslpasswd2", "-p", "-c", "-u", self.hostname, USER], input=PASSWORD.encode(), check=True)
            os.chown(self.path("/etc/sasldb2"), 901, -1)


AUTHENTICATORS = {
    "PLAIN": """\
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and {{eq {$auth2}{%(user)s}}{eq {$auth3}{%(password)s}}}}
  server_set_id = $auth2
  server_advertise_condition = ${if eq {$received_port}{587}}
""",
    "LOGIN": """\
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and {{eq {$auth1}{%(user)s}}{eq {$auth2}{%(password)s}}}}
  server_set_id = $auth1
  server_advertise_condition = ${if eq {$received_port}{587}}
""",
    "CRAM-MD5": """\
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq {$auth1}{%(user)s}{%(password)s}fail}
  server_set_id = $auth1
  server_advertise_condition = ${if eq {$received_port}{587}}
""",
}


class Exim(Receiver, mtas.Exim):
    host = "10.9.0.32"
    utf8 = chunking = True
    connected, ended = r"SMTP connection from \[10\.9[^\n]*TCP/IP connection count", r"SMTP connection from [^\n]*closed by QUIT"
    signed_in = r"(?i) A=%s:us "
    ending = signal.SIGKILL  # at SIGTERM, 4.96 removes a message that it took a moment ago, though it has said 250 ("Spool file ... not found")
    mechanisms = ("PLAIN", "LOGIN", "CRAM-MD5")

    def configure(self):
        self.make_directories()
        self.certificates(uid=903)
        self.write("/etc/exim4/exim4.conf", """\
primary_hostname = %(hostname)s
local_interfaces = %(host)s
daemon_smtp_ports = 25 : 587
exim_path = /usr/sbin/exim4
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%%slog
log_selector = +smtp_connection +tls_cipher +tls_resumption
keep_environment =
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
tls_advertise_hosts = *
tls_certificate = /etc/cert.pem
tls_privatekey = /etc/key.pem
tls_resumption_hosts = *
dsn_advertise_hosts = %(dsn)s
smtputf8_advertise_hosts = *
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
message_size_limit = %(size)d
begin acl
rcpt:
  deny condition = ${if eq {$received_port}{587}}
       !authenticated = *
       message = 530 5.7.0 Authentication required
  deny local_parts = nobody
       message = 550 5.1.1 No such user
  defer local_parts = %(busy)s
       message = 450 4.2.1 Mailbox is busy
  accept
begin routers
far:
  driver = manualroute
  domains = %(domains)s
  route_list = * %(sink)s
  self = send
  transport = far
home:
  driver = manualroute
  domains = demo.test
  route_list = * 127.0.0.1
  self = send
  transport = home
begin transports
far:
  driver = smtp
  protocol = lmtp
  port = %(sink_port)d
  allow_localhost
  hosts_avoid_tls = *
home:
  driver = smtp
  port = %(home_port)d
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,1h,1s
begin authenticators
%(authenticators)s""" % dict(hostname=self.hostname, host=self.host, dsn="*" if self.dsn else "", size=SIZE, busy="busy" if self.busy else "", sink=SINK,
           domains=" : ".join(self.domains), sink_port=self.sink_port, home_port=self.home_port,
           authenticators="".join(AUTHENTICATORS[m] % dict(user=USER, password=PASSWORD) for m in self.mechanisms)))

    def command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q1s", "-oP", "/run/exim4/pid"]


class OpenSmtpd(Receiver, mtas.OpenSmtpd):
    host = "10.9.0.33"
    connected, ended = r"smtp connected address=10\.9", r"smtp disconnected"
    mechanisms = ("PLAIN", "LOGIN")
    # Its handshakes as a server fail with every client, for any kind of key: the key is in another process, by an interface that OpenSSL 3 has not.
    tls, no_tls = False, "OpenSMTPD 6.8 of Debian 12 offers TLS and fails in each handshake; it lets nobody sign in without"

    def configure(self):
        self.make_directories()
        self.certificates()
        self.write("/etc/mailname", self.hostname + "\n")
        rules = {"nobody": "550 5.1.1 No such user"}
        if self.busy:
            rules["busy"] = "450 4.2.1 Mailbox is busy"
        self.write("/etc/smtpd.conf", """\
pki mail cert "/etc/cert.pem"
pki mail key "/etc/key.pem"
smtp max-message-size %(size)d
table creds { "%(user)s" = "%(hash)s" }
%(filters)s
filter door chain { %(names)s }
listen on %(host)s port 25 tls pki mail hostname %(hostname)s filter door%(dsn)s
listen on %(host)s port 587 tls-require pki mail hostname %(hostname)s auth <creds>
action "far" relay host "lmtp://%(sink)s:%(sink_port)d"
action "home" relay host "smtp+notls://127.0.0.1:%(home_port)d" helo %(hostname)s
%(matches)s
match from any for domain "demo.test" action "home"
""" % dict(size=SIZE, user=USER, hash=subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip(), names=", ".join(rules), host=self.host,
           filters="\n".join('filter %s phase rcpt-to match rcpt-to regex { "^<?%s@" } reject "%s"' % (n, n, text) for n, text in rules.items()),
           hostname=self.hostname, dsn="" if self.dsn else " no-dsn", sink=SINK, sink_port=self.sink_port, home_port=self.home_port,
           matches="\n".join('match from any for domain "%s" action "far"' % d for d in self.domains)))
        os.chmod(self.path("/etc/smtpd.conf"), 0o600)


KINDS = {c.name: c for c in (Postfix, Exim, OpenSmtpd)}


def make(name, sink_port, home_port, certificate):
    return KINDS[name](sink_port, home_port, certificate)
