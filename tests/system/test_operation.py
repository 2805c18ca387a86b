"""What an administrator does, and does wrong: commands, exit codes, clear messages, nothing lost."""
import json
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile

import pytest

from server import BIN, PASSWORD, Server, free_port, tls, until


@pytest.fixture
def workdir():
    d = tempfile.mkdtemp(prefix="postrider-test.")
    yield d
    shutil.rmtree(d, ignore_errors=True)


def run(*words, input=None):
    return subprocess.run([BIN, *words], input=input, capture_output=True, text=True, timeout=60)


def config(workdir, text):
    path = os.path.join(workdir, "postrider.conf")
    with open(path, "w") as f:
        f.write(text)
    return path


# ---- the contract of exit codes ----

def test_help_names_every_command():
    done = run("--help")
    assert done.returncode == 0
    for word in ("demo", "serve", "stop", "reload", "status", "setup", "config", "domain", "account", "alias", "queue"):
        assert word in done.stdout
    assert run("account", "add", "--help").stdout.count("Examples:") == 1


@pytest.mark.parametrize("words", [(), ("nonsense",), ("domain", "nonsense"), ("domain", "add"), ("domain", "add", "a", "b"),
                                   ("status", "--nonsense"), ("queue", "list", "--to")])
def test_usage_errors(words):
    done = run(*words)
    assert done.returncode == 2 and done.stderr


def test_unknown_setting_names_the_nearest(workdir):
    path = config(workdir, 'hostnam = "mail.example.org"\n')
    done = run("config", "check", "--config", path)
    assert done.returncode == 1
    assert path + ":1" in done.stderr and "'hostname'" in done.stderr


@pytest.mark.parametrize("line,word", [
    ('message_size = "many"', "message_size"),
    ('queue { retry_first = "5x" }', "retry_first"),
    ('log { level = "loud" }', "level"),
    ('data = "relative/path"', "absolute"),
    ('listen { smtp = {"nowhere"} }', "nowhere"),
    ('relay = "host-without-port"', "relay"),
    ('processes { smtp = 100 }', "smtp"),
    ('hostname = "unfinished', "end of file"),
])
def test_wrong_setting_is_named(workdir, line, word):
    done = run("config", "check", "--config", config(workdir, line + "\n"))
    assert done.returncode == 1 and word in done.stderr, done.stderr


def test_missing_config():
    done = run("status", "--config", "/nonexistent/postrider.conf")
    assert done.returncode == 3 and "setup" in done.stderr


def test_shown_config_reads_back(workdir):
    path = config(workdir, 'hostname = "mail.example.org"\nlisten { submissions = {} imaps = {} smtp = {"127.0.0.1:2525"} }\n')
    shown = run("config", "show", "--config", path)
    assert shown.returncode == 0, shown.stderr
    again = run("config", "show", "--config", config(workdir, shown.stdout))
    assert again.stdout == shown.stdout


def serve(workdir, **changes):
    """A configuration on one port, and the outcome of a start that is expected to fail."""
    values = {"data": os.path.join(workdir, "data"), "port": 0, "tls": ""}
    values.update(changes)
    path = config(workdir, 'data = "%(data)s"\n%(tls)s\nlisten { smtp = {"127.0.0.1:%(port)d"} submission = {} submissions = {} '
                           'imap = {} imaps = {} }\n' % values)
    return run("serve", "--config", path)


def test_busy_port(workdir):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = serve(workdir, port=s.getsockname()[1])
    assert done.returncode == 1 and "busy" in done.stderr


def test_unreadable_key(workdir):
    done = serve(workdir, port=free_port(), tls='tls { certificate = "/nonexistent/crt" key = "/nonexistent/key" }')
    assert done.returncode == 1 and "/nonexistent/crt" in done.stderr and "no such file" in done.stderr


def test_key_that_is_none(workdir):
    for name in ("crt", "key"):
        with open(os.path.join(workdir, name), "w") as f:
            f.write("not a key\n")
    done = serve(workdir, port=free_port(), tls='tls { certificate = "%s/crt" key = "%s/key" }' % (workdir, workdir))
    assert done.returncode == 1 and "cannot start" in done.stderr


def test_data_of_a_newer_version(workdir):
    os.makedirs(os.path.join(workdir, "data"))
    with open(os.path.join(workdir, "data", "format"), "w") as f:
        f.write("99\n")
    done = serve(workdir, port=free_port())
    assert done.returncode == 1 and "newer version" in done.stderr
    assert open(os.path.join(workdir, "data", "format")).read() == "99\n"
    assert sorted(os.listdir(os.path.join(workdir, "data"))) == ["format"]


# ---- with a server ----

def test_second_server_on_the_same_data(server):
    path = os.path.join(server.dir, "postrider.conf")
    done = run("serve", "--config", path)
    assert done.returncode == 1 and "another server" in done.stderr
    assert server.command("status").returncode == 0


def test_directory_commands(server):
    c = server.command
    assert c("domain", "add", "example.org").returncode == 0
    assert c("domain", "add", "EXAMPLE.org").returncode == 4
    assert c("domain", "add", "bad..name").returncode == 2
    assert c("account", "add", "ann@example.org", "--password-stdin", input="pw-one\n").returncode == 0
    assert c("account", "add", "ann@example.org", "--password-stdin", input="pw-one\n").returncode == 4
    assert c("account", "add", "ann@nowhere.test", "--password-stdin", input="pw\n").returncode == 3
    assert c("account", "add", "x@example.org", "--password-stdin", input="\n").returncode == 2
    assert c("account", "password", "ann@example.org", "--password-stdin", input="pw-two\n").returncode == 0
    assert c("account", "quota", "ann@example.org", "2G").returncode == 0
    rows = c("account", "list", "example.org", json_out=True)
    assert rows["v"] == 1 and [r["address"] for r in rows["accounts"]] == ["ann@example.org"]
    assert rows["accounts"][0]["quota"] == 2 << 30
    assert c("alias", "add", "info@example.org", "ann@example.org", "bob@demo.test").returncode == 0
    assert c("alias", "list", "example.org", json_out=True)["aliases"] == [
        {"from": "info@example.org", "to": ["ann@example.org", "bob@demo.test"]}]
    assert c("domain", "remove", "example.org").returncode == 5
    assert c("alias", "remove", "info@example.org").returncode == 0
    assert c("alias", "remove", "info@example.org").returncode == 3
    assert c("account", "rename", "ann@example.org", "anna@example.org").returncode == 0
    assert c("account", "remove", "anna@example.org", "--purge").returncode == 0
    assert c("domain", "remove", "example.org").returncode == 0
    assert c("domain", "remove", "example.org").returncode == 3


def login(server, user, password):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=30) as s:
        s.starttls(context=tls())
        s.login(user, password)


def test_wrong_password_and_disabled(server):
    server.expect("sign-in failed")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        login(server, "carol@demo.test", "wrong")
    login(server, "carol@demo.test", PASSWORD)
    assert server.command("account", "disable", "carol@demo.test").returncode == 0
    with pytest.raises(smtplib.SMTPAuthenticationError):
        login(server, "carol@demo.test", PASSWORD)
    assert server.command("account", "enable", "carol@demo.test").returncode == 0
    login(server, "carol@demo.test", PASSWORD)
    failed = [l for l in server.log_text().splitlines() if "sign-in failed" in l and l.endswith(" user=carol@demo.test")]
    assert len(failed) == 4 and all(" peer=127.0.0.1 reason=denied " in l for l in failed)  # smtplib tries PLAIN, then LOGIN


def test_reload_keeps_sessions(server):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=30) as s:
        s.ehlo()
        assert server.command("reload").returncode == 0
        assert s.noop()[0] == 250
        login(server, "dave@demo.test", PASSWORD)
        assert s.noop()[0] == 250


def test_queue_commands(server):
    assert json.loads(server.command("queue", "list", "--json").stdout)["messages"] == []
    assert server.command("queue", "show", "0000000000001").returncode == 3
    assert server.command("queue", "show", "nonsense").returncode == 2
    assert server.command("queue", "remove").returncode == 2
    assert server.command("queue", "retry", "--all").returncode == 0


def account_of(server, address):
    return next((a for a in server.command("account", "list", json_out=True)["accounts"] if a["address"] == address), None)


def stored(server, account):
    """The folder of an account, if there is one."""
    return [path for path, folders, files in os.walk(os.path.join(server.dir, "data", "accounts")) if "mail.db" in files
            and int(os.path.basename(path)) == account]


def mail_to(server, address):
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=30) as s:
        s.sendmail("out@else.test", [address], "From: out@else.test\r\nSubject: kept\r\n\r\nHello.\r\n")
    until(lambda: stored(server, account_of(server, address)["id"]), "nothing is stored")


def test_removed_account_comes_back(server):
    mail_to(server, "erin@demo.test")
    account = account_of(server, "erin@demo.test")["id"]
    assert server.command("account", "remove", "erin@demo.test").returncode == 0
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail_to(server, "erin@demo.test")
    assert server.command("account", "enable", "erin@demo.test").returncode == 0
    assert account_of(server, "erin@demo.test")["id"] == account and stored(server, account)


def test_removed_account_is_forgotten_in_the_end():
    with Server(environment={"POSTRIDER_RETENTION": "1"}) as server:
        mail_to(server, "carol@demo.test")
        gone, kept = (account_of(server, a + "@demo.test")["id"] for a in ("carol", "bob"))
        assert server.command("account", "remove", "carol@demo.test").returncode == 0
        until(lambda: account_of(server, "carol@demo.test") is None, "the account is still there")
        until(lambda: not stored(server, gone), "its folder is still there")
        assert stored(server, kept) and account_of(server, "bob@demo.test")
        assert server.command("account", "enable", "carol@demo.test").returncode == 3


def test_without_a_server():
    server = Server().start()
    server.own_dir = False
    server.stop()
    try:
        assert server.command("status").returncode == 69
        assert server.command("stop").returncode == 69
        assert server.command("account", "add", "late@demo.test", "--password-stdin", input="later-pw\n").returncode == 0
        assert "late@demo.test" in server.command("account", "list").stdout
        assert server.command("queue", "list").returncode == 0
        server.start()
        login(server, "late@demo.test", "later-pw")
        server.stop()
    finally:
        shutil.rmtree(server.dir, ignore_errors=True)


def test_setup(workdir):
    path = os.path.join(workdir, "etc", "postrider.conf")
    words = ("setup", "--domain", "example.org", "--admin", "me@example.org", "--data", os.path.join(workdir, "data"),
             "--password-stdin", "--config", path)
    done = run(*words, input="first-pw\n")
    assert done.returncode == 0, done.stderr
    assert "MX" in done.stdout and "mail.example.org" in done.stdout
    assert run("config", "check", "--config", path).returncode == 0
    assert "me@example.org" in run("account", "list", "--config", path).stdout
    assert run(*words, input="first-pw\n").returncode == 4
    assert os.stat(os.path.join(workdir, "etc", "tls.key")).st_mode & 0o077 == 0
