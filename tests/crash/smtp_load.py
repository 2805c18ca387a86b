"""Clients that send mail while processes die, and the book of what each was told."""
import itertools
import random
import threading
import time

import content
from clients import Lost, Smtp

OK, REFUSED, UNKNOWN = "250", "refused", "no answer"
SMALL, BIG = (300, 20000), (content.LARGE + 1000, content.LARGE * 2)


class Sent:
    __slots__ = ("ident", "digest", "size", "rcpts", "offered", "result", "reply")


def exchange(connection, ident, offered, size):
    """Send one message; what was told about it, and whether the connection is gone."""
    s = Sent()
    data = content.make(ident, size, connection.sender)
    s.ident, s.digest, s.size, s.offered = ident, content.digest(data), len(data), offered
    s.rcpts, s.result, s.reply = [], REFUSED, b""
    try:
        s.rcpts, code, s.reply = connection.mail(offered, data)
    except Lost:
        return s, True
    s.result = UNKNOWN if code == 0 else OK if code == 250 and s.rcpts else REFUSED
    return s, code in (0, 421)


def send(world, ident, offered, size=3000):
    """The same over a connection of its own."""
    connection = Smtp(world.port(25))
    try:
        return exchange(connection, ident, offered, size)[0]
    finally:
        connection.close()


class SmtpLoad:
    """A message goes to 1 to `most` of `rcpts` (all of them). Each client sends, records, and goes on; a lost connection is made again."""

    def __init__(self, world, rcpts, clients, pause, large_share=0.03, connect=None, most=None):
        self.world, self.rcpts, self.pause, self.large_share = world, rcpts, pause, large_share
        self.most = most or len(rcpts)
        self.connect = connect or (lambda: Smtp(world.port(25)))
        self.lock = threading.Lock()
        self.book, self.faults = [], []
        self.numbers = itertools.count(1)
        self.run_now, self.end = threading.Event(), False
        self.idle = threading.Semaphore(0)
        self.clients = clients
        self.threads = [threading.Thread(target=self.client, args=(i,), daemon=True) for i in range(clients)]
        for t in self.threads:
            t.start()

    def resume(self):
        self.run_now.set()

    def wait_paused(self):
        """No client is in the middle of a message any more."""
        self.run_now.clear()
        for _ in range(self.clients):
            assert self.idle.acquire(timeout=120), "an SMTP client hangs"

    def stop(self):
        self.end = True
        self.run_now.set()
        for t in self.threads:
            t.join(60)

    def take_book(self):
        with self.lock:
            book, self.book = self.book, []
        return book

    def client(self, number):
        r = random.Random()
        connection = None
        while not self.end:
            if not self.run_now.is_set():
                if connection:
                    connection.close()
                    connection = None
                self.idle.release()
                self.run_now.wait()
                continue
            try:
                if not connection:
                    connection = self.connect()
            except Lost:
                time.sleep(0.02)
                continue
            try:
                connection = self.one(connection, r)
            except Exception as e:  # a client that dies silently would make the test weaker unseen
                self.faults.append("SMTP client: %r" % e)
                return
            if self.pause:
                time.sleep(r.random() * 2 * self.pause)

    def one(self, connection, r):
        size = r.randint(*(BIG if r.random() < self.large_share else SMALL))
        offered = r.sample(self.rcpts, min(r.choice((1, 1, 1, 2, 3, self.most)), len(self.rcpts)))
        s, lost = exchange(connection, "m%d" % next(self.numbers), offered, size)
        with self.lock:
            self.book.append(s)
        if lost:
            connection.close()
            return None
        return connection
