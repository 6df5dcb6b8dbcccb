"""Requests to a Canvas that is not trusted: where they may go, how long and how large a reply may be, when to wait.

canvasapi makes the requests and knows how Canvas wants its parameters; here is what it leaves open. It has no limit of
time or size, does not try again where Canvas asks for patience, and takes any page for JSON. Its objects take whatever
attributes a reply names, so replies stay plain JSON here, which is read by what is expected of it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from canvasapi.requester import Requester
from requests.adapters import HTTPAdapter

from autograder.base import AutograderError, one_line

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

URL, TOKEN = "CANVAS_URL", "CANVAS_TOKEN"

CONNECT_SECONDS, READ_SECONDS, REPLY_SECONDS = 10.0, 60.0, 120.0
"""How long a connection, a silence in a reply, and a whole reply may take."""

MOST_BYTES = 50_000_000
"""The most that one reply may hold: a page of a hundred submissions with their comments has some hundred kilobytes."""

TRIES = 7
LONGEST_WAIT = 300.0
"""How often a request is made that Canvas asks to make later, and the longest that is waited in between, in seconds."""

LOW, COMES_BACK = 100.0, 10.0
"""Canvas refuses a request where its allowance (600 when full, and a request reserves 50) is spent: below the first
number one is waited for; the second is how much of it comes back in a second."""

Pause = Callable[[float], object]


@contextlib.contextmanager
def connected(environment: Mapping[str, str], pause: Pause = time.sleep) -> Iterator[Requester]:
    """What makes requests to the Canvas that the environment names, with its token.

    Args:
        environment: Where ``CANVAS_URL`` and ``CANVAS_TOKEN`` are.
        pause: Waits so many seconds.

    Yields:
        What makes them, while the connections are open.

    Raises:
        AutograderError: One is missing or can be none; the token is not in the message.
    """
    address = _address(environment.get(URL, ""))
    token = environment.get(TOKEN, "").strip()
    if not token:
        raise AutograderError(
            f"{TOKEN} is not set. Make a token in Canvas under Account → Settings → New access token, and give it to "
            f"this command in the environment: read -rs {TOKEN} && export {TOKEN}"
        )
    if not (token.isascii() and token.isprintable()) or " " in token:
        # requests would say the whole of it in its own error.
        raise AutograderError(f"{TOKEN} holds something that no token of Canvas has; copy it from Canvas again")
    requester = Requester(address, token)
    with _Session(address, token, pause) as session:
        requester._session = session
        yield requester


def _address(given: str) -> str:
    """The address of a Canvas, without what may stand behind the host's name."""
    example = "such as https://canvas.example.edu"
    if not given.strip():
        raise AutograderError(f"{URL} is not set: expected the address of your Canvas, {example}")
    try:
        parts = urlsplit(given.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or not host.isascii() or parts.scheme not in ("http", "https"):
        raise AutograderError(f"{URL}: expected the address of your Canvas, {example}, found {one_line(given)[:200]}")
    if parts.username is not None or parts.password is not None:
        raise AutograderError(f"{URL}: expected an address without a name or a password in it, {example}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise AutograderError(f"{URL}: a token is not sent without encryption; expected https://{host}")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class _Session(requests.Session):
    """A session whose every request goes by way of ``_Careful``, and whose token goes to its own Canvas alone."""

    def __init__(self, address: str, token: str, pause: Pause) -> None:
        super().__init__()
        self._address, self._token = address, token
        self.auth = _as_it_is  # or else requests puts what ~/.netrc says of the host in the place of the token
        careful = _Careful(address, token, pause)
        self.adapters.clear()
        self.mount("https://", careful)
        self.mount("http://", careful)

    def rebuild_auth(
        self,
        prepared_request: requests.PreparedRequest,
        response: requests.Response,  # noqa: ARG002 - as requests calls it
    ) -> None:
        """An upload ends with a request back to Canvas, which wants the token; wherever else it leads, none goes."""
        prepared_request.headers.pop("Authorization", None)
        if str(prepared_request.url).startswith(f"{self._address}/api/v1/"):
            prepared_request.headers["Authorization"] = f"Bearer {self._token}"


class _Careful(HTTPAdapter):
    """Makes one request: as often as Canvas asks for, and within bounds."""

    def __init__(self, address: str, token: str, pause: Pause) -> None:
        super().__init__()
        self._address, self._token, self._pause = address, token, pause
        self._remains = float("inf")

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        """The reply, read whole.

        Raises:
            AutograderError: Canvas cannot be reached, refuses, or answers with something else than was asked for.
        """
        self._refuse_elsewhere(str(request.url))
        options |= {"timeout": (CONNECT_SECONDS, READ_SECONDS), "stream": True}
        if self._remains < LOW:
            self._pause((LOW - self._remains) / COMES_BACK)
        for number in range(TRIES):
            last = number == TRIES - 1
            try:
                response = _whole(super().send(request, **options))
            except (requests.exceptions.RequestException, OSError) as error:
                # What a request that writes has done is not known then: the next push looks before it sends.
                if request.method == "GET" and number < 3 and not isinstance(error, TooMuchError):
                    self._pause(2.0**number)
                    continue
                raise AutograderError(self._unreachable(error)) from None
            self._remains = _number(response, "X-Rate-Limit-Remaining", float("inf"))
            if not _asks_for_patience(response, request):
                break
            wait = _number(response, "Retry-After", 2.0**number)
            if last or wait > LONGEST_WAIT:
                raise AutograderError(
                    f"{self._address} asks to be left alone ({response.status_code}), for {wait:g} s more. What was "
                    "sent is there; the same command sends the rest later"
                )
            self._pause(max(0.0, wait))
        self._refuse(request, response)
        return response

    def _refuse_elsewhere(self, url: str) -> None:
        """A Canvas, which says where a file is to be uploaded, is not to send us to a machine's own services."""
        parts = urlsplit(url)
        trusted = urlsplit(self._address)
        loopback = _is_loopback(parts.hostname or "")
        if (parts.scheme == "https" and not loopback) or (loopback and _is_loopback(trusted.hostname or "")):
            return
        raise AutograderError(
            f"{self._address} asks for a request to {one_line(parts.scheme)}://{one_line(parts.netloc)[:100]}, which "
            "is not made: it is not encrypted, or goes to this machine"
        )

    def _refuse(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        """Say what is wrong with a reply, in words for whoever started the push."""
        status = response.status_code
        asked = str(request.url).startswith(f"{self._address}/api/")
        said = self._said(response)
        if not asked and status >= 400:
            raise AutograderError(
                f"{one_line(urlsplit(str(request.url)).netloc)[:100]}, where Canvas has files uploaded, refuses one "
                f"({status}{said})"
            )
        if status == 401:
            raise AutograderError(
                f"Canvas does not take what is in {TOKEN}, or its owner may not do this in this course (401{said}). "
                "Make a new token under Account → Settings → New access token, as somebody who grades there"
            )
        if status == 403:
            raise AutograderError(f"Canvas does not allow this to the owner of {TOKEN} (403{said})")
        if status == 404:
            raise AutograderError(
                f"Canvas has nothing at {one_line(urlsplit(str(request.url)).path)} (404{said}). Look at the number of "
                "the course in its address in Canvas, and at canvas_course in gradebook_config.yaml"
            )
        if status >= 500:
            raise AutograderError(
                f"Canvas failed ({status}{said}). What was sent is there; the same command sends the rest later"
            )
        if status >= 400:
            raise AutograderError(f"Canvas refuses the request ({status}{said})")
        if asked and 300 <= status < 400:
            target = urlsplit(response.headers.get("Location", ""))
            raise AutograderError(
                f"{self._address} leads elsewhere, to {one_line(target.scheme)}://{one_line(target.netloc)[:100]}: "
                f"give the address of Canvas itself in {URL}"
            )
        if asked and "json" not in response.headers.get("Content-Type", "").casefold():
            kind = one_line(response.headers.get("Content-Type", "something unnamed"))[:60]
            raise AutograderError(
                f"{self._address} answers with a page ({kind}) where Canvas gives JSON: is {URL} the address of Canvas "
                "itself, such as https://canvas.example.edu?"
            )

    def _said(self, response: requests.Response) -> str:
        """What the reply says went wrong, short and without the token; may be empty."""
        try:
            tree = json.loads(response.content)
        except (ValueError, RecursionError):
            return ""
        found: list[str] = []
        waiting = [tree]
        while waiting and len(found) < 3:
            each = waiting.pop(0)
            if isinstance(each, str):
                found.append(one_line(each)[:200])
            elif isinstance(each, list):
                waiting = each[:3] + waiting
            elif isinstance(each, dict):
                waiting += [each[key] for key in ("errors", "error", "message") if key in each]
        text = "; ".join(found).replace(self._token, "…")
        return f": {text}" if text else ""

    def _unreachable(self, error: Exception) -> str:
        if isinstance(error, TooMuchError):
            return f"{self._address}: {error}"
        if isinstance(error, requests.exceptions.SSLError):
            return f"{self._address}: its certificate is not one that this machine trusts. Look at the address in {URL}"
        if isinstance(error, requests.exceptions.Timeout):
            return f"{self._address} does not answer. What was sent is there; the same command sends the rest later"
        return (
            f"{self._address} cannot be reached, or broke off ({type(error).__name__}). Look at the address in {URL} "
            "and at the network; what was sent is there, and the same command sends the rest"
        )


def _whole(response: requests.Response) -> requests.Response:
    """A reply whose content has come, within bounds."""
    response.raw = _Bounded(response.raw)
    try:
        _ = response.content
    except BaseException:
        response.close()
        raise
    return response


class TooMuchError(OSError):
    """A reply that is longer than any of Canvas's, or does not end."""


class _Bounded:
    """The bytes of a reply, up to a number of them, and as long as they come in time."""

    def __init__(self, raw: BaseHTTPResponse) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, _: int = 0, decode_content: bool | None = None) -> Iterator[bytes]:
        """What comes, as it comes: ``read1`` waits for no more than there is, so that a trickle does not go on."""
        until = time.monotonic() + REPLY_SECONDS
        total = 0
        while piece := self._raw.read1(2**16, decode_content=decode_content):
            total += len(piece)
            if total > MOST_BYTES:
                raise TooMuchError(f"a reply has more than {MOST_BYTES // 1_000_000} MB; it is none of Canvas's")
            if time.monotonic() > until:
                raise TooMuchError(f"a reply does not end within {REPLY_SECONDS:g} s")
            yield piece


def _asks_for_patience(response: requests.Response, request: requests.PreparedRequest) -> bool:
    """Whether nothing was done yet, and the same request may be made later."""
    if response.status_code == 429:
        return True
    if response.status_code == 403:
        return b"rate limit exceeded" in response.content[:1000].lower()
    return response.status_code in (502, 503, 504) and request.method == "GET"


def _number(response: requests.Response, name: str, without: float) -> float:
    """A header's number; a date in its place, which HTTP allows for Retry-After, counts as none."""
    try:
        found = float(response.headers.get(name, ""))
    except ValueError:
        return without
    return found if 0 <= found < 1e9 else without
