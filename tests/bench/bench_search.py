#!/usr/bin/python3
"""What SEARCH, SORT and THREAD cost in a mailbox of many messages.

usage: bench_search.py BUILD COUNT      BUILD is a build directory without sanitizers

Fills a mailbox (fill_mailbox), opens it through tests/golden/imap_server and prints for each command the best of five in milliseconds,
measured at the client, after one that warms; and the CPU time of the server, on average of all.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

COMMANDS = ["SEARCH UNSEEN", "SEARCH FROM \"user77@\"", "SEARCH SUBJECT holiday", "SEARCH TO list7", "SEARCH HEADER Message-ID 12345.",
            "SEARCH SINCE 1-Oct-2020", "SEARCH SENTSINCE 1-Jan-2015", "SORT (ARRIVAL) UTF-8 ALL", "SORT (REVERSE DATE) UTF-8 ALL",
            "SORT (SUBJECT) UTF-8 ALL", "SORT (FROM) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "THREAD REFS UTF-8 ALL",
            "THREAD ORDEREDSUBJECT UTF-8 ALL"]


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.ask("LOGIN user1 secret")
        self.ask("SELECT INBOX")

    def ask(self, command):
        self.sock.sendall(b"x " + command.encode() + b"\r\n")
        got = b""
        while not any(l.startswith(b"x ") for l in got[-4000:].split(b"\n")):
            more = self.sock.recv(1 << 20)
            assert more, "closed"
            got = got[-4000:] + more
        assert b"\nx OK" in got or got.startswith(b"x OK"), got


def cpu_ms(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def main():
    build, count = sys.argv[1], sys.argv[2]
    top = tempfile.mkdtemp(prefix="bench-search-")
    try:
        began = time.monotonic()
        subprocess.run([os.path.join(build, "tests/bench/fill_mailbox"), top, count], check=True)
        print("%-44s %10.1f s" % ("filled", time.monotonic() - began))
        server = subprocess.Popen([os.path.join(build, "tests/golden/imap_server"), top], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  env={**os.environ, "LAB": "1", "MEMORY": str(1 << 30)})
        c = Client(int(server.stdout.readline().split()[1]))
        for command in COMMANDS:
            times, before = [], cpu_ms(server.pid)
            for _ in range(6):
                began = time.monotonic()
                c.ask(command)
                times.append(time.monotonic() - began)
            cpu = (cpu_ms(server.pid) - before) / 6
            print("%-44s %10.1f ms  cpu %8.1f ms" % (command, min(times[1:]) * 1000, cpu))
        server.stdin.close()
        server.wait()
    finally:
        shutil.rmtree(top)


main()
