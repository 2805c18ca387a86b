"""Commands of root in places that another user of the machine has prepared."""
import fcntl
import os
import pwd
import shutil
import signal
import stat
import struct
import subprocess
import tempfile

import pytest

from server import BIN, PASSWORD, free_base

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = pwd.getpwnam("nobody").pw_uid


@pytest.fixture()
def place():
    path = tempfile.mkdtemp(prefix="postrider-test.")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def run(*words, **more):
    return subprocess.run([BIN, *words], capture_output=True, text=True, timeout=20, **more)


def demo(path, **more):
    return run("demo", "--once", "--lab", "--dir", path, "--port-base", str(free_base()), "--password", PASSWORD, **more)


def directory(path, uid=0, mode=0o755):
    os.mkdir(path)
    os.chmod(path, mode)
    os.chown(path, uid, uid)
    return path


def contents(path):
    return sorted(os.path.join(at, name) for at, directories, files in os.walk(path) for name in directories + files)


def test_good_places(place):
    assert demo(os.path.join(place, "new", "data")).returncode == 0
    directory(os.path.join(place, "sticky"), 0, 0o1777)
    assert demo(os.path.join(place, "sticky", "data")).returncode == 0
    os.symlink(os.path.join(place, "new"), os.path.join(place, "link"))
    done = demo("link/data", cwd=place)
    assert done.returncode == 0, done.stderr


def owned_by_another(place):
    return directory(os.path.join(place, "d"), NOBODY), "d"


def below_another(place):
    return os.path.join(directory(os.path.join(place, "d"), NOBODY), "data"), "d"


def ours_below_another(place):
    return directory(os.path.join(directory(os.path.join(place, "d"), NOBODY), "data")), "d"


def writable(place):
    return directory(os.path.join(place, "d"), 0, 0o777), "d"


def writable_by_a_group(place):
    return os.path.join(directory(os.path.join(place, "d"), 0, 0o775), "data"), "d"


def sticky_itself(place):
    return directory(os.path.join(place, "d"), 0, 0o1777), "d"


def planted_link(place):
    """In a directory like /tmp, to a directory of root."""
    directory(os.path.join(place, "tmp"), 0, 0o1777)
    directory(os.path.join(place, "etc"))
    os.symlink(os.path.join(place, "etc"), os.path.join(place, "tmp", "d"))
    os.lchown(os.path.join(place, "tmp", "d"), NOBODY, NOBODY)
    return os.path.join(place, "tmp", "d", "data"), "d"


def link_through_another(place):
    """Ours leads through a directory of another user, and back to one of root."""
    directory(os.path.join(place, "etc"))
    directory(os.path.join(place, "d"), NOBODY)
    os.symlink("../etc", os.path.join(place, "d", "back"))
    os.symlink("d/back", os.path.join(place, "ours"))
    return os.path.join(place, "ours", "data"), "d"


PLACES = (owned_by_another, below_another, ours_below_another, writable, writable_by_a_group, sticky_itself, planted_link, link_through_another)


@pytest.mark.parametrize("plant", PLACES, ids=lambda f: f.__name__)
def test_demo(place, plant):
    path, blamed = plant(place)
    before = contents(place)
    done = demo(path)
    assert done.returncode == 5 and "/" + blamed + "," in done.stderr, done.stderr
    assert contents(place) == before


@pytest.mark.parametrize("plant", PLACES, ids=lambda f: f.__name__)
def test_serve_and_commands(place, plant):
    path, blamed = plant(place)
    conf = os.path.join(place, "postrider.conf")
    with open(conf, "w") as f:
        f.write('data = "%s"\nlisten { smtp = {"127.0.0.1:%d"} submission = {} submissions = {} imap = {} imaps = {} }\n' % (path, free_base() + 25))
    before = contents(place)
    for words in (("serve",), ("domain", "add", "example.org")):
        done = run(*words, "--config", conf)
        assert done.returncode != 0 and "/" + blamed + "," in done.stderr, done.stderr
    assert contents(place) == before


def test_setup(place):
    directory(os.path.join(place, "d"), NOBODY)
    done = run("setup", "--domain", "example.org", "--admin", "me@example.org", "--data", os.path.join(place, "data"), "--password-stdin",
               "--config", os.path.join(place, "d", "postrider.conf"), input="first-pw\n")
    assert done.returncode == 5 and not os.listdir(os.path.join(place, "d"))


def test_temporary_names(place):
    """What has the name of a file to be written is neither written nor followed, and what is written is closed to others."""
    victim = os.path.join(place, "victim")
    data = directory(os.path.join(place, "data"))
    with open(victim, "w") as f:
        f.write("precious")
    for name in ("demo-password", "tls.key", "tls.crt", "format"):
        os.link(victim, os.path.join(data, name + ".new"))
    os.symlink(victim, os.path.join(data, "postrider.conf.new"))
    done = demo(data)
    assert done.returncode == 0, done.stderr
    with open(victim) as f:
        assert f.read() == "precious"
    assert os.stat(victim).st_nlink == 1


def test_modes_do_not_depend_on_the_umask(place):
    data = os.path.join(place, "data")
    done = demo(data, preexec_fn=lambda: os.umask(0))
    assert done.returncode == 0, done.stderr
    for name, mode in (("tls.key", 0o600), ("demo-password", 0o600), ("auth", 0o700), ("queue", 0o700), ("accounts", 0o700),
                       ("control.sock", 0o660)):
        assert stat.S_IMODE(os.lstat(os.path.join(data, name)).st_mode) == mode, name
    for path in contents(data):
        assert os.path.islink(path) or not os.stat(path).st_mode & 0o002 or os.lstat(path).st_mode & 0o170000 == stat.S_IFSOCK, path


@pytest.mark.parametrize("command", ["stop", "reload"])
def test_signals_go_to_the_owner_of_the_lock(place, command):
    """A lock file of another user names a process of root."""
    data = directory(os.path.join(place, "d"), NOBODY)
    conf = os.path.join(place, "postrider.conf")
    with open(conf, "w") as f:
        f.write('data = "%s"\nlisten { submissions = {} imaps = {} }\n' % data)
    victim = subprocess.Popen(["sleep", "60"])
    try:
        with open(os.path.join(data, "postrider.lock"), "w+") as lock:
            os.fchown(lock.fileno(), NOBODY, NOBODY)
            lock.write("%d\n" % victim.pid)
            lock.flush()
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            done = run(command, "--config", conf)
            assert done.returncode == 5, done.stderr
        assert victim.poll() is None
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
