"""Short rounds of kill and recovery: every promise of docs/formats/durability.md, with the real processes. `tests/crash/run` does as many as wished."""
import os
import time

from rounds import Rounds

SECONDS = float(os.environ.get("POSTRIDER_CRASH_SECONDS", "20"))


def test_rounds():
    rounds = Rounds()
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end and rounds.epoch(15, end):
            pass
    finally:
        findings = rounds.finish()
        print(rounds.summary())
    assert not findings, "\n".join(findings[:40]) + "\n" + rounds.summary()
    assert rounds.counts["rounds"] >= 5 and rounds.ledger.counts["deliveries"] >= 20, rounds.summary()
