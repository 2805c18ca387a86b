"""Imported for what it does: what the clients of tests write is sent at once, that of smtplib, imaplib and poplib too.

A command that is written in two pieces has its second one held back, by Nagle's algorithm, until the first is acknowledged, and the server's
system delays that for 40 ms, since no answer is due. Over thousands of commands that is most of what a run of tests waits for.
"""
import socket

_create_connection = socket.create_connection


def create_connection(*args, **options):
    s = _create_connection(*args, **options)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


socket.create_connection = create_connection
