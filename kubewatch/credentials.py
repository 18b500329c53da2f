"""`Credentials`: where the server's address and our credentials come from, and the newest of them.

All threads of a `Client` share one. Loading happens under one lock, so that a hundred threads whose token expired
run one plugin; and each load has a generation number, so that whoever was refused with an older one just tries again.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from .dialer import Dialer
from .errors import AuthError

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration

logger = logging.getLogger(__name__)

# Seconds between looks at a Configuration that is not ours to load: its hook may run a plugin on each look.
LOOK_INTERVAL = 10.0

# Seconds between two loads that the server's refusals ask for.
RELOAD_INTERVAL = 10.0

# What of a Configuration decides how a connection is made.
_CONNECTION = (
    "host", "ssl_ca_cert", "ca_cert_data", "cert_file", "key_file", "verify_ssl", "assert_hostname", "tls_server_name",
    "proxy", "no_proxy",
)  # fmt: skip

# Headers of an ApiClient that are ours to choose.
_OURS = frozenset({"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"})


class Loaded(msgspec.Struct, frozen=True, eq=False):
    """What a load brought; `lifetime` is the seconds after which to load again, None for never."""

    configuration: Configuration
    lifetime: float | None = None
    extra: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Loaded(for {self.lifetime} s)"  # headers are secrets

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # what `rich` shows; a Struct's own has all
        return [("lifetime", self.lifetime)]


class Access(msgspec.Struct, frozen=True, eq=False):
    """What a request needs: how to connect, and the headers that say who asks."""

    generation: int
    dialer: Dialer
    headers: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return f"Access({self.generation}, {self.dialer.url!r})"  # headers are secrets

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("generation", self.generation), ("url", self.dialer.url)]


class Credentials:
    """The newest access to a server; thread-safe. Loads at first use, and again when a token ages or is refused.

    `load` brings everything anew. None of it where `given` is not None: a Configuration or ApiClient of the user's own,
    of which only the hook can be run again. Everything raises AuthError.
    """

    def __init__(
        self,
        load: Callable[[], Loaded] | None,
        given: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._given = given
        self._clock = clock
        self._access: Access | None = None
        self._loaded: Loaded | None = None
        self._connection: tuple[Any, ...] = ()
        self._fresh_until = 0.0
        self._expires = float("inf")
        self._renewed = float("-inf")
        self._failures = 0
        self._failure = ""
        # Guards all of the above, and is held while loading: one thread loads, the others wait for what it brings.
        self._lock = threading.Lock()

    def current(self) -> Access:
        """The access to use now."""
        access, failures = self.at_hand(), self._failures
        if access is not None:
            return access
        # Who has credentials goes on with them while another thread loads newer ones: if they serve no more, the server
        # says so, and `renew` waits.
        if not self._lock.acquire(blocking=self._access is None):
            assert self._access is not None
            return self._access
        try:
            if self._access is None:
                if self._failures != failures:  # while we waited; a plugin that hangs need not hang for each in turn
                    raise AuthError(self._failure)
                try:
                    return self._take(self._begin())
                except AuthError as error:
                    self._failures, self._failure = self._failures + 1, str(error)
                    raise
            now = self._clock()
            if now < self._fresh_until:
                return self._access
            if now < self._expires or self._load is None:
                assert self._loaded is not None
                return self._take(self._loaded)
            try:
                return self._take(self._load())
            except AuthError as error:
                # What we have may still be good; if it is not, the server says so and `renew` raises.
                logger.warning("credentials could not be loaded anew, going on with the old ones: %s", error)
                self._fresh_until = self._clock() + LOOK_INTERVAL  # from now on: a plugin that hangs takes minutes
                return self._access
        finally:
            self._lock.release()

    def at_hand(self) -> Access | None:
        """The access to use now, if that takes no look at anything; never blocks."""
        return self._access if self._clock() < self._fresh_until else None

    def renew(self, refused: Access) -> bool:
        """After a 401 with `refused`: whether there are other credentials now. Many threads may call it at once."""
        with self._lock:
            assert self._access is not None
            if self._access.generation != refused.generation:
                return True
            if self._clock() < self._renewed + RELOAD_INTERVAL:
                return False
            try:
                if self._load is not None:
                    self._take(self._load(), anew=True)
                    return True
                assert self._loaded is not None
                return self._take(self._loaded).generation != refused.generation
            finally:
                self._renewed = self._clock()

    @property
    def reloadable(self) -> bool:
        """Whether a refusal can be answered by loading everything anew."""
        return self._load is not None

    @property
    def url(self) -> str:
        """The server's address, without credentials; empty before it is known."""
        access = self._access
        return access.dialer.url if access is not None else ""

    def after_fork(self) -> None:
        """In a fork's child: the lock may be held by a thread that is no more."""
        self._lock = threading.Lock()
        self._access = None  # its dialer's pool has locks, too

    def _begin(self) -> Loaded:
        if self._loaded is not None:
            return self._loaded
        if self._given is not None:
            return _given(self._given)
        assert self._load is not None
        return self._load()

    def _take(self, loaded: Loaded, anew: bool = False) -> Access:
        # Called with the lock held.
        now, old = self._clock(), self._access
        headers = (*auth_headers(loaded.configuration), *loaded.extra)
        connection = _connection(loaded.configuration)
        changed = old is None or anew or headers != old.headers or connection != self._connection
        if changed:
            same = old is not None and not anew and connection == self._connection
            dialer = old.dialer if old is not None and same else Dialer(loaded.configuration)
            generation = old.generation + 1 if old is not None else 1
            self._access = Access(generation, dialer, headers)
            self._connection = connection
        if loaded is not self._loaded:
            self._expires = now + loaded.lifetime if loaded.lifetime is not None else float("inf")
            self._loaded = loaded
        self._fresh_until = min(self._expires, now + LOOK_INTERVAL)
        assert self._access is not None
        return self._access


def _connection(configuration: Configuration) -> tuple[Any, ...]:
    return tuple(getattr(configuration, name, None) for name in _CONNECTION)


def _given(source: Any) -> Loaded:
    configuration = getattr(source, "configuration", source)
    extra = [(k, v) for k, v in getattr(source, "default_headers", {}).items() if k.lower() not in _OURS]
    cookie = getattr(source, "cookie", None)
    if cookie:
        extra.append(("Cookie", cookie))
    return Loaded(configuration, extra=tuple(extra))


def auth_headers(configuration: Configuration) -> tuple[tuple[str, str], ...]:
    """The headers that authenticate; runs the Configuration's refresh hook. Raises AuthError."""
    try:
        settings: Any = configuration.auth_settings().values()
    except AuthError:
        raise
    except Exception as error:  # the hook is the user's or the official client's: it may raise anything
        raise AuthError(f"refreshing the credentials failed: {type(error).__name__}: {redact(str(error))}") from error
    # A token read from a file often ends in a newline.
    return tuple((s["key"], s["value"].strip()) for s in settings if s["in"] == "header" and s["value"])


def redact(text: str) -> str:
    """`text` without what looks like a token: for messages that others wrote.

    >>> redact("Bearer abc.def was refused")
    'Bearer *** was refused'
    """
    text = re.sub(r"(?i)\b(bearer|basic)\s+\S+", r"\1 ***", text)
    return re.sub(r"\beyJ[\w-]+\.[\w.-]+", "***", text)
