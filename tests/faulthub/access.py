"""Who may see what, and how often."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass
class Access:
    """Access to a repository: private and gated ones open to the tokens in `granted`."""

    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    granted: set[str] = field(default_factory=set)


@dataclass
class RateLimit:
    """A fixed window of requests, as the hub counts them. `seconds` is the window's length."""

    quota: int
    seconds: float
    bucket: str = "resolvers"
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _start: float = 0.0
    _used: int = 0

    def take(self) -> tuple[bool, int, int]:
        """Counts a request: whether it may pass, how many are left, seconds to the next window (rounded up)."""
        with self._lock:
            now = time.monotonic()
            if now - self._start >= self.seconds:
                self._start, self._used = now, 0
            allowed = self._used < self.quota
            self._used += allowed
            rest = self.seconds - (now - self._start)
            return allowed, self.quota - self._used, max(1, int(rest + 0.999))

    def headers(self, left: int, wait: int) -> list[tuple[str, str]]:
        """The two headers of every answer."""
        return [
            ("RateLimit", f'"{self.bucket}";r={left};t={wait}'),
            ("RateLimit-Policy", f'"fixed window";"{self.bucket}";q={self.quota};w={int(self.seconds)}'),
        ]
