"""postrider convert postfix: golden results, nothing forgotten, nothing run.

tests/golden/postfix/CASE/etc is what is converted, beside it the three results. UPDATE_GOLDEN=1 writes them anew: read the difference.
"""
import json
import os
import re
import shutil
import stat
import subprocess

import pytest

from server import BIN

ROOT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden", "postfix")
CASES = sorted(os.listdir(ROOT))
RESULTS = ("postrider.conf", "commands.sh", "report.txt")


def convert(directory, *args, cwd=None):
    return subprocess.run([os.path.abspath(BIN), "convert", "postfix", directory, *args], capture_output=True, text=True, timeout=60, cwd=cwd)


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    done = convert("etc", "--out", str(out / "results"), cwd=os.path.join(ROOT, request.param))
    assert done.returncode == 0, done.stderr
    return request.param, out / "results"


def params(name):
    """Names that are set, read by another program than ours."""
    found = set()
    with open(os.path.join(ROOT, name, "etc", "main.cf")) as f:
        for line in f:
            if m := re.match(r"(\w+)\s*=", line):
                found.add(m[1])
    return found


def test_golden(case):
    name, out = case
    for result in RESULTS:
        got = (out / result).read_text()
        path = os.path.join(ROOT, name, result)
        if os.environ.get("UPDATE_GOLDEN"):
            with open(path, "w") as f:
                f.write(got)
        with open(path) as f:
            assert got == f.read(), path


def test_every_parameter_has_a_word(case):
    name, out = case
    report = (out / "report.txt").read_text()
    said = set(re.findall(r"^(?:kept|default|lost) +(\w+) = ", report, re.M))
    assert params(name) <= said, params(name) - said
    lines = report.splitlines()[2:]
    assert len(lines) % 2 == 0
    for head, why in zip(lines[::2], lines[1::2]):
        assert re.match(r"(kept|default|lost) +\S", head) and re.match(r" {8}\S", why), (head, why)


def test_commands_are_quoted(case, tmp_path):
    """The script runs with a postrider that writes down its words; no word means anything to the shell."""
    name, out = case
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "postrider"
    fake.write_text('#!/usr/bin/python3\nimport json, sys\nopen(%r, "a").write(json.dumps(sys.argv[1:]) + "\\n")\n' % str(tmp_path / "said"))
    fake.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(["sh", "-eu", str(out / "commands.sh")], cwd=work, env={"PATH": "%s:/usr/bin:/bin" % (tmp_path / "bin")},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    assert set(os.listdir(work)) <= {"passwords"}
    assert not os.path.exists("/tmp/never")
    said = [json.loads(l) for l in (tmp_path / "said").read_text().splitlines()]
    assert said
    for words in said:
        assert words[:2] in (["domain", "add"], ["account", "add"], ["alias", "add"], ["alias", "import"], ["rewrite", "add"], ["route", "add"],
                             ["route", "set"]), words
        for word in words[2:]:
            assert not word.startswith("-") or word in ("--relay", "--verify", "--sender", "--recipient", "--password-stdin", "--to", "--from", "--via", "--tls",
                                                         "--source", "--helo", "--connections", "--rate", "--user", "--unset"), words
    if (work / "passwords").exists():
        assert stat.S_IMODE((work / "passwords").stat().st_mode) == 0o600
        passwords = [l.split()[1] for l in (work / "passwords").read_text().splitlines()]
        assert len(set(passwords)) == len(passwords) and all(len(p) == 20 for p in passwords)
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", "-S", "error", str(out / "commands.sh")]).returncode == 0


def test_result_is_a_configuration(case):
    """What is written can be read: only settings that exist, only values that are valid."""
    name, out = case
    done = subprocess.run([BIN, "config", "check", "--config", str(out / "postrider.conf")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_printed():
    whole = convert(os.path.join(ROOT, "debian", "etc"))
    assert whole.returncode == 0 and all("==> %s <==" % r in whole.stdout for r in RESULTS)
    o = json.loads(convert(os.path.join(ROOT, "debian", "etc"), "--json").stdout)
    assert o["v"] == 1 and set(RESULTS) <= set(o)


def test_errors(tmp_path):
    assert convert(str(tmp_path)).returncode == 3
    assert subprocess.run([BIN, "convert", "exim", "/"], capture_output=True).returncode == 2
    (tmp_path / "main.cf").write_bytes(b"\xff\x00\n = x\n" + b"a = $a\n" + b"b = " + b"$c" * 20000 + b"\nc = " + b"x" * 1000 + b"\n" + b"d\n" * 1000)
    (tmp_path / "master.cf").write_bytes(b"\xff\n" * 100 + b"a b c d e f g\nsmtp inet n - n - - smtpd -o\n -o { x\n")
    done = convert(str(tmp_path))
    assert done.returncode == 0, done.stderr
    pipes = ["", "argv=", "flags= user= argv=", "argv=/x " + "y " * 1000, "argv=/x " + "z" * 5000, "flags=" + "F" * 300 + " argv=/x $", "argv=/x ${", "argv=/x $(a}", "{", "argv={",
             "flags argv", "-o", "-o -o argv=/x", " ".join("a%d=b" % n for n in range(100)) + " argv=/x \x1b[31m"]
    (tmp_path / "master.cf").write_text("".join("p%d unix - n n - - pipe %s\n" % p for p in enumerate(pipes)))
    (tmp_path / "transport").write_text("".join("d%d.example p%d:\n" % (n, n) for n in range(len(pipes))))
    (tmp_path / "main.cf").write_text("transport_maps = hash:%s/transport\n" % tmp_path)
    done = convert(str(tmp_path), "--out", str(tmp_path / "pipes"))
    assert done.returncode == 0, done.stderr
    assert subprocess.run([BIN, "config", "check", "--config", str(tmp_path / "pipes" / "postrider.conf")], capture_output=True).returncode == 0
    os.mkfifo(tmp_path / "virtual")
    (tmp_path / "main.cf").write_text("virtual_alias_maps = hash:/etc/postfix/virtual\n")
    done = convert(str(tmp_path))  # does not wait for somebody to write into it
    assert done.returncode == 0 and "cannot be read" in done.stdout


def test_many_pipes(tmp_path):
    """More than can be: each that is left out is named, and so is everything that one of them loses."""
    line = "p%d unix - n n - - pipe -ox=y " + " ".join("a%d=b" % n for n in range(40)) + " argv=/x\n"
    (tmp_path / "master.cf").write_text("".join(line % p for p in range(40)) + "idle unix - n n - - pipe argv=/x\n")
    (tmp_path / "transport").write_text("".join("d%d.example p%d:\n" % (n, n) for n in range(40)))
    (tmp_path / "main.cf").write_text("transport_maps = hash:%s/transport\np1_time_limit = 7m\np2_time_limit = soon\ncommand_time_limit = 1d\n" % tmp_path)
    done = convert(str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    report, conf = (tmp_path / "out" / "report.txt").read_text(), (tmp_path / "out" / "postrider.conf").read_text()
    assert conf.count("\npipe ") == 32 and conf.count("timeout = 3600s") == 31 and conf.count("timeout = 420s") == 1
    assert report.count("as many pipes as there can be, 32: ") == 8 and report.count("transport_maps leads nothing there") == 1
    assert all("lost    master.cf p0 = a%d=b\n" % n in report for n in range(40)) and "lost    master.cf p0 = -o x=y\n" in report
    assert "lost    p2_time_limit = soon\n" in report and "lost    command_time_limit = 1d\n" in report and "kept    p1_time_limit = 7m\n" in report
    assert subprocess.run([BIN, "config", "check", "--config", str(tmp_path / "out" / "postrider.conf")], capture_output=True).returncode == 0


def test_many_rows(tmp_path):
    (tmp_path / "main.cf").write_text("myhostname = mx.example.org\nvirtual_alias_domains = example.org\nvirtual_alias_maps = hash:/etc/postfix/virtual\n")
    (tmp_path / "virtual").write_text("".join("user%d@example.org user%d@example.net\n" % (n, n) for n in range(20000)))
    done = convert(str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "commands.sh").read_text().count("p alias add") == 20000


ROUTES = """myhostname = mx.example.org
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:{dir}/passwd
smtp_sender_dependent_authentication = yes
relayhost = [smtp.isp.example]:587
smtp_tls_security_level = may
smtp_bind_address = 192.0.2.7
smtp_bind_address6 = [2001:db8::7]
smtp_helo_name = out.example.org
default_destination_concurrency_limit = 5
smtp_destination_rate_delay = 2s
transport_maps = inline:{{ bank.example=smtp:[mx.bank.example]:25, .far.example=relay:hub.example, *=smtp:, direct.example=smtp, old@far.example=lmtp:inet:[192.0.2.9]:24, gone.example=error:gone, x.example=uucp:y }}
smtp_tls_policy_maps = inline:{{ bank.example=secure, loose.example=may, [mx.isp.example]:587=encrypt, odd.example=fingerprint }}
sender_dependent_relayhost_maps = hash:{dir}/senders
"""


def test_routes(tmp_path):
    """Each rule as a command that the real program takes; the password is in none of the results, and is read when the script is run."""
    (tmp_path / "main.cf").write_text(ROUTES.format(dir=tmp_path))
    (tmp_path / "passwd").write_text("[smtp.isp.example]:587  us:p:w $(x)'\\n\n@example.org other:pw2\nunused.example a:b\n")
    (tmp_path / "senders").write_text("@example.org [smtp.other.example]:587\nboss@example.org  hub.example\nx DUNNO\ny [bad\n")
    done = convert(str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    results = {r: (tmp_path / "out" / r).read_text() for r in RESULTS}
    for text in results.values():
        assert "p:w" not in text and "pw2" not in text
    lines = [l for l in results["commands.sh"].splitlines() if " route " in l]
    passwd = "%s/passwd" % tmp_path
    assert sorted(lines) == sorted([
        "login %s '[smtp.isp.example]:587' route add --user us --password-stdin --via smtp.isp.example:587 --source 192.0.2.7 --source 2001:db8::7"
        " --helo out.example.org --connections 5 --rate 1/2s" % passwd,
        "p route add --to bank.example --via mx.bank.example:25", "p route add --to .far.example --via mx:hub.example", "p route set --to '*' --via direct --unset login",
        "p route add --to direct.example --via direct", "p route add --to old@far.example --via lmtp:192.0.2.9:24",
        "p route set --to bank.example --tls verify", "p route add --to loose.example --tls may",
        "login %s @example.org route add --from example.org --user other --password-stdin --via smtp.other.example:587" % passwd,
        "p route add --from boss@example.org --via mx:hub.example"])
    for lost in ("gone.example", "x.example", "[mx.isp.example]:587", "odd.example", "y"):
        assert re.search(r"^lost +\w+ = %s$" % re.escape(lost), results["report.txt"], re.M), lost
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "postrider"
    fake.write_text('#!/usr/bin/python3\nimport json, sys\nopen(%r, "a").write(json.dumps([sys.argv[1:], sys.stdin.read() if "--password-stdin" in sys.argv '
                    'else ""]) + "\\n")\n' % str(tmp_path / "said"))
    fake.chmod(0o755)
    done = subprocess.run(["sh", "-eu", str(tmp_path / "out" / "commands.sh")], cwd=tmp_path / "bin", env={"PATH": "%s:/usr/bin:/bin" % (tmp_path / "bin")},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    said = [json.loads(l) for l in (tmp_path / "said").read_text().splitlines()]
    assert [word for words, word in said if "us" in words] == ["p:w $(x)'\\n\n"]
    assert [word for words, word in said if "other" in words] == ["pw2\n"]
