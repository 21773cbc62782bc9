"""Who may ask? Pages of this server alone: by host, by origin, and by a token that only its address has."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

LOOPBACK = ("127.0.0.1", "localhost")
_TOKEN_BYTES = 16


@dataclass(frozen=True)
class Guard:
    """What a request must show.

    A page of another site, open in the same browser, can send requests here, and by a name of its own that leads to
    127.0.0.1 even read the answers (DNS rebinding). It cannot choose `Host` and `Origin`, and does not know the token.

    Attributes
    ----------
    port : int
    token : str
        128 random bits.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_hex(_TOKEN_BYTES), repr=False)

    @property
    def address(self) -> str:
        """The address to open, token included."""
        return f"http://{LOOPBACK[0]}:{self.port}/?token={self.token}"

    def is_host(self, host: str | None) -> bool:
        """Return whether a `Host` header names this server by a loopback name."""
        return host in {f"{name}:{self.port}" for name in LOOPBACK}

    def is_origin(self, origin: str | None, host: str | None) -> bool:
        """Return whether an `Origin` header is that of a page of this server, under the name that was asked."""
        return self.is_host(host) and origin == f"http://{host}"

    def is_token(self, token: str | None) -> bool:
        """Return whether a token is the right one; takes as long for any."""
        return hmac.compare_digest((token or "").encode("utf-8", "replace"), self.token.encode())
