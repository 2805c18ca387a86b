"""Short rounds of kill and recovery while mail leaves; `tests/crash/run --outward` does as many as wished."""
import os
import time

import pytest

from rounds_outward import OutwardRounds

from outside import NoNamespace

SECONDS = float(os.environ.get("POSTRIDER_CRASH_SECONDS", "20"))


def test_rounds():
    try:
        rounds = OutwardRounds()
    except NoNamespace as e:
        pytest.skip(str(e))
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end and rounds.epoch(8, end):
            pass
    finally:
        findings = rounds.finish()
        print(rounds.summary())
    assert not findings, "\n".join(findings[:40]) + "\n" + rounds.summary()
    assert rounds.counts["rounds"] >= 5 and rounds.totals["copies"] >= 20, rounds.summary()
