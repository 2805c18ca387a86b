"""Random histories over several processes that are killed (histories.py). POSTRIDER_HISTORY_SECONDS and POSTRIDER_HISTORY_SEED: longer, and others."""
import os

from histories import play

SECONDS = float(os.environ.get("POSTRIDER_HISTORY_SECONDS", "20"))
SEED = int(os.environ.get("POSTRIDER_HISTORY_SEED", "1"))


def test_histories():
    findings, h = play(SEED, SECONDS)
    print(h.summary())
    assert not findings, "\n".join(findings[:20]) + "\n" + h.summary()
    assert h.counts["rounds"] >= 3 and h.counts["changes"] >= 100 and h.counts["processes at once"] >= 2, h.summary()
