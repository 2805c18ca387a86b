"""What the server counts: every series from the start on, and the right ones rise."""
import re
import smtplib
import time

from server import PASSWORD, Server, tls

SERIES = ("postrider_smtp_connections_total", "postrider_smtp_messages_total", "postrider_smtp_recipients_total",
          "postrider_smtp_signins_total", "postrider_imap_signins_total", "postrider_imap_sessions", "postrider_pop3_connections_total", "postrider_pop3_sessions", "postrider_pop3_signins_total", "postrider_queue_messages", "postrider_queue_deliveries_total",
          "postrider_local_deliveries_total", "postrider_remote_recipients_total", "postrider_dns_lookups_total", "postrider_trace_events_total",
          "postrider_process_up")


def metrics(server):
    text = server.command("metrics", check=True).stdout
    return {m.group(1): int(m.group(2)) for m in re.finditer(r"^(postrider_[^ ]+) (\d+)$", text, re.M)}


def wait_for(server, series, value):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        now = metrics(server)
        if now.get(series) == value:
            return now
        time.sleep(0.2)
    raise AssertionError("%s is %s, not %d" % (series, now.get(series), value))


def test_every_series_is_there_with_zero():
    with Server() as server:
        wait_for(server, 'postrider_dns_lookups_total{process="dns/0",result="failed"}', 0)
        now = wait_for(server, 'postrider_remote_recipients_total{process="remote/0",result="deferred"}', 0)
        for name in SERIES:
            assert any(k.startswith(name + "{") for k in now), name
        text = server.command("metrics", check=True).stdout
        for name in {k.split("{")[0] for k in now}:
            assert text.count("# TYPE %s " % name) == 1 and text.count("# HELP %s " % name) == 1, name


def test_counters_rise():
    with Server() as server:
        server.expect("sign-in failed")
        smtp = 'postrider_smtp_%s{process="smtp/0",result="%s"}'
        before = wait_for(server, smtp % ("messages_total", "accepted"), 1)  # the demo's own
        with smtplib.SMTP("127.0.0.1", server.port(25)) as s:
            s.ehlo()
            s.mail("ann@elsewhere.test")
            assert s.rcpt("nobody@demo.test")[0] == 550
            assert s.rcpt("alice@demo.test")[0] == 250
            assert s.data(b"From: ann@elsewhere.test\r\nSubject: counted\r\n\r\nx\r\n")[0] == 250
        with smtplib.SMTP("127.0.0.1", server.port(587)) as s:
            s.starttls(context=tls())
            try:
                s.login("alice@demo.test", "wrong")
                raise AssertionError("a wrong password was taken")
            except smtplib.SMTPAuthenticationError:
                pass
            s.login("alice@demo.test", PASSWORD)
        after = wait_for(server, smtp % ("messages_total", "accepted"), 2)
        assert after[smtp % ("recipients_total", "refused")] == before[smtp % ("recipients_total", "refused")] + 1
        wait_for(server, smtp % ("signins_total", "refused"), 2)  # PLAIN, then LOGIN
        wait_for(server, 'postrider_queue_deliveries_total{process="queue/0",result="delivered"}', 2)
        wait_for(server, 'postrider_local_deliveries_total{process="local/0",result="delivered"}', 2)


def test_a_process_that_comes_back_counts_anew():
    with Server() as server:
        import os
        import signal
        server.expect("process ended|process is killed")
        wait_for(server, 'postrider_smtp_messages_total{process="smtp/0",result="accepted"}', 1)
        os.kill(server.pids("smtp")[0], signal.SIGKILL)
        wait_for(server, 'postrider_process_restarts_total{process="smtp/0"}', 1)
        wait_for(server, 'postrider_smtp_messages_total{process="smtp/0",result="accepted"}', 0)
