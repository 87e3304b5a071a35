"""Where a server is and with which key it is asked: checked, and apart from each other for good."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from llmaudit.errors import UsageError

BASE_URL_VARIABLE = "OPENAI_BASE_URL"
KEY_VARIABLES = ("LLMAUDIT_API_KEY", "OPENAI_API_KEY")
"""Where a key is looked for; the first one that is set counts, and an empty one means none."""

REMOVED = "[key removed]"
_SHORTEST_SECRET = 8
_REMEDY = "write it like http://localhost:8000/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a server, without secrets.

    Attributes
    ----------
    base : str
        What the paths of requests are added to: no slash at its end.
    host : str
        Host and port, for people.
    """

    base: str
    host: str

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent: encrypted, or within this machine."""
        return self.base.startswith("https://") or is_loopback(urlsplit(self.base).hostname or "")


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Key:
    """A secret that shows itself only in the header it is for."""

    __slots__ = ("_secret", "variable")

    def __init__(self, secret: str, variable: str) -> None:
        self._secret = secret
        self.variable = variable

    def __repr__(self) -> str:
        return f"Key({self.variable})"

    def header(self) -> str:
        """Return the value of the ``Authorization`` header."""
        return f"Bearer {self._secret}"

    def remove_from(self, body: bytes) -> bytes:
        """Return what a server sent without the key, should it send that back.

        A shorter one than eight characters is a placeholder, which may be a word of an answer.
        """
        if len(self._secret) < _SHORTEST_SECRET:
            return body
        return body.replace(self._secret.encode("ascii"), REMOVED.encode("ascii"))


def find_address(given: str | None, environ: Mapping[str, str]) -> Address:
    """Return the server's address: as given, or from the environment.

    Raises
    ------
    UsageError
        If there is none, or it is no plain http(s) address. Its text is not repeated in the
        message: it may hold a password.
    """
    text = given or environ.get(BASE_URL_VARIABLE) or ""
    where = "--base-url" if given else BASE_URL_VARIABLE
    if not text:
        raise UsageError(
            f"a model on a server needs the server's address: give --base-url, or set "
            f"{BASE_URL_VARIABLE}; {_REMEDY}."
        )
    parts = _split(text.strip(), where)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise UsageError(
            f"{where} holds a user, a password, a query or a fragment, which would end up in the "
            f"report. Leave them out; a key belongs into the environment variable "
            f"{KEY_VARIABLES[0]}."
        )
    path = parts.path.rstrip("/") or "/v1"
    return Address(urlunsplit((parts.scheme, parts.netloc, path, "", "")), parts.netloc)


def _split(text: str, where: str) -> SplitResult:
    """Take an address apart; anything but http and https with a host is refused."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not text.isascii() or any(not " " < letter < "\x7f" for letter in text):
        raise UsageError(f"{where} is no http or https address; {_REMEDY}.")
    return parts


def find_key(environ: Mapping[str, str]) -> Key | None:
    """Return the key from the environment, None without one.

    Raises
    ------
    UsageError
        If it holds what no header can.
    """
    for variable in KEY_VARIABLES:
        if variable in environ:
            secret = environ[variable].strip()
            if any(not " " < letter < "\x7f" for letter in secret):
                raise UsageError(
                    f"the key in {variable} holds a space, a control character or a letter outside "
                    f"of ASCII; set it again."
                )
            return Key(secret, variable) if secret else None
    return None
