"""Letting other threads run while this one has much to decode.

Python has a thread that computes give way to others only after 5 ms (`sys.setswitchinterval`), each time that one of
them wants to go on; to answer a web request, say, takes several such times. And to let go for a moment, as each read
from a socket does, is not enough: whoever waits takes longer to wake up than the moment lasts.
"""

from __future__ import annotations

from time import sleep

# Bytes of JSON after which to give way: about 2 ms of decoding.
TURN = 524_288

# Seconds, about what it takes to wake up. While 100 000 pods of 8 KB were listed, 99 of 100 requests to Flask in the
# same process were answered within 22 to 53 ms without this, and within 8 to 17 with it (busy machine, 2 cores).
PAUSE = 0.000_05


def give_way() -> None:
    """Let another thread that wants to run do so; takes 0.1 ms if there is none."""
    sleep(PAUSE)
