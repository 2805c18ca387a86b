"""What the benches share: load generators, processor time, memory."""
import glob
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import servers  # noqa: E402

SIZE = 10240


def load_program(name):
    found = glob.glob(os.path.join(servers.ROOT, "build", "*", "tests", "bench", name))
    if not found:
        sys.exit(f"{name} is not built: meson setup build/bench -Dbench=true && ninja -C build/bench")
    return max(found, key=os.path.getmtime)


def load_smtp(server, sessions, messages, *more, port="smtp"):
    done = subprocess.run(
        [load_program("load_smtp"), "--port", str(server.ports[port]), "--sessions", str(sessions), "--messages",
         str(messages), "--size", str(SIZE), "--rcpts", server.dir + "/rcpts", *more], capture_output=True, text=True)
    if done.returncode != 0:
        raise servers.Failed(f"{server.name}: load_smtp: {done.stderr} {done.stdout[-300:]}")
    return json.loads(done.stdout)


def role_of(pid):
    """What a process is for: the role of a Postrider, the program of another server."""
    with open(f"/proc/{pid}/cmdline") as f:
        words = f.read().split("\0")
    if "role" in words:
        return words[words.index("role") + 1]
    with open(f"/proc/{pid}/comm") as f:
        name = f.read().strip()
    return "master" if name == "postrider" else name


def cpu_us(server):
    """Processor time so far by role, of the processes that are there and of their children that have ended."""
    total = {}
    for pid in server.pids():
        try:
            role = role_of(pid)
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks = sum(int(t) for t in fields[11:15])
        total[role] = total.get(role, 0) + ticks * 1e6 / os.sysconf("SC_CLK_TCK")
    return total


class Cpu:
    """Processor time for each of the messages of a block, by role: where the time goes."""

    def __init__(self, server, messages):
        self.server, self.messages, self.per_message = server, messages, {}

    def __enter__(self):
        self.before = cpu_us(self.server)
        return self

    def __exit__(self, *exc):
        after = cpu_us(self.server)
        self.per_message = {r: (t - self.before.get(r, 0)) / self.messages for r, t in after.items()}


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            continue
    return total


def kernel_kib():
    """Slab, kernel stacks, page tables and socket buffers of the whole machine."""
    with open("/proc/meminfo") as f:
        total = sum(int(line.split()[1]) for line in f if line.split(":")[0] in ("Slab", "KernelStack", "PageTables"))
    with open("/proc/net/sockstat") as f:
        for line in f:
            words = line.split()
            if words[0] == "TCP:":
                total += int(words[words.index("mem") + 1]) * 4
    return total


def settled_pss(server):
    """PSS once it no longer changes by more than 1 %."""
    last = pss_kib(server.pids())
    for _ in range(30):
        time.sleep(2)
        value = pss_kib(server.pids())
        if abs(value - last) <= last * 0.01:
            break
        last = value
    return value


def fsync_ms(base):
    """What one durable write of 4 KiB costs here."""
    path, times = os.path.join(base, "fsync"), []
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    for _ in range(200):
        os.write(fd, b"x" * 4096)
        began = time.monotonic()
        os.fdatasync(fd)
        times.append((time.monotonic() - began) * 1e3)
    os.close(fd)
    os.unlink(path)
    return statistics.median(times)
