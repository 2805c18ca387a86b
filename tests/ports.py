"""Ports for servers under test, also when several runs of tests share a machine.

That nobody listens on a port now does not say that nobody will in a moment, so each is claimed too: by a socket whose name, in Linux's abstract
namespace, is the port's number. Like the ports, such names belong to a network namespace, and they go with the process. All are below those that
the system gives to clients.
"""
import collections
import contextlib
import random
import socket

OFFSETS = (1, 24, 25, 26, 110, 143, 465, 587, 993)  # of a demo, and for what a test puts beside it
_held = collections.deque(maxlen=24)  # the youngest claims; who had the others has ended


def _claim(numbers):
    """Sockets that claim them all, or None."""
    with contextlib.ExitStack() as stack:
        claims = []
        for number in numbers:
            try:
                name = stack.enter_context(socket.socket(socket.AF_UNIX))
                name.bind("\0postrider-test-port-%d" % number)
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", number))
            except OSError:
                return None
            claims.append(name)
        stack.pop_all()
        return claims


def _first(bases, offsets):
    for base in bases:
        claims = _claim([base + offset for offset in offsets])
        if claims:
            _held.append(claims)
            return base
    raise RuntimeError("no free ports")


def free_base():
    """A base at which a demo finds its ports free."""
    return _first(random.sample(range(11000, 30000), 2000), OFFSETS)


def free_port():
    return _first(random.sample(range(31100, 32700), 1600), (0,))
