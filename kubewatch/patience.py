"""`Patience`: how long a watch may stay silent, and how often it may end for nothing before that is an error."""

from __future__ import annotations

from typing import Literal

from .config import Config
from .params import WATCH_TIMEOUT

# Seconds of silence to bear. A server ends a watch after `timeout`, and sends a bookmark about every minute.
TIMEOUT_GRACE = 15.0
BOOKMARKED_SILENCE = 100.0
# Initial events come in one burst: a server that pauses before their end bookmark does not know of such bookmarks.
INITIAL_SILENCE = 60.0
# A socket can wait for 24 days, and no longer.
LONGEST = 2e6

# This many watches in a row that ended within so many seconds, and brought nothing, are an error.
FEW = 3
EARLY = 5.0


class Patience:
    """With one server, for the length of one stream.

    >>> patience = Patience(Config())
    >>> patience.idle_timeout(initial=False)
    305.0
    >>> [patience.worn_out("closed", lived=0.1, fruitful=False, framed=False) for _ in range(4)]
    [False, False, True, True]
    """

    def __init__(self, config: Config) -> None:
        self._timeout = config.timeout
        self._idle_timeout = config.idle_timeout
        self.bookmarked = False  # the server has shown that it sends bookmarks
        self.silences = 0  # watches in a row without a word
        self.fruitless = 0  # watches in a row that count as storm

    def idle_timeout(self, *, initial: bool) -> float:
        """Seconds of silence to bear; `initial` while the initial events of a watch are under way."""
        if self._idle_timeout is not None:
            seconds = self._idle_timeout
        elif self.bookmarked:
            seconds = BOOKMARKED_SILENCE
        else:
            seconds = (self._timeout or WATCH_TIMEOUT) + TIMEOUT_GRACE
        return min(seconds, INITIAL_SILENCE if initial else LONGEST)

    def worn_out(self, how: Literal["closed", "idle"], *, lived: float, fruitful: bool, framed: bool) -> bool:
        """Note that a watch ended after `lived` seconds; whether that is one too many.

        `framed` says whether it brought a frame, `fruitful` whether that was anything to hand out.

        A quiet watch that ends at its time is no error, however often. One that ends at once is, or nothing would ever
        hold up the next. And so is one on which not even the bookmarks come that came before.
        """
        silent = how == "idle" and not framed
        self.silences = self.silences + 1 if silent else 0
        early = not fruitful and lived < EARLY and not 0 < self._timeout * 0.9 <= lived
        mute = silent and self.bookmarked and lived >= BOOKMARKED_SILENCE * 0.9
        self.fruitless = self.fruitless + 1 if early or mute else 0
        return self.fruitless >= FEW
