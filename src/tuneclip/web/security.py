"""Who may talk to the page, and what the browser may do with it: checked before any of our code sees a request."""

import hmac
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "tuneclip-token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class Rules:
    """Whom to answer."""

    local: bool
    """Bound to this machine alone: only its own names are taken as Host, so that no other site's name leads here."""
    token: str | None = None
    """What every request must show; needed wherever another machine can ask."""


def guard(app: ASGIApp, rules: Rules) -> ASGIApp:
    """`app` behind the rules: a foreign Host, a missing token and a write from another site are refused.

    Every answer forbids the browser to load anything from elsewhere, to run scripts but our files, and to be framed.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
        elif scope["type"] == "http":
            answer = _refusal(scope, rules) or _token_answer(scope, rules) or app
            await answer(scope, receive, _with_headers(send))

    return guarded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _refusal(scope: Scope, rules: Rules) -> Response | None:
    headers = Headers(scope=scope)
    host = headers.get("host", "")
    if not host or (rules.local and _name(host) not in LOOPBACK):
        return PlainTextResponse("This page answers to localhost and 127.0.0.1 only.\n", 403)
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != "navigate":
        return PlainTextResponse("Other sites may not ask here.\n", 403)
    if scope["method"] not in ("GET", "HEAD"):
        if urlsplit(headers.get("origin", "")).netloc != host:
            return PlainTextResponse("Only the page itself may change something: Origin must be its own.\n", 403)
        if headers.get("content-type", "").split(";")[0].strip() != "application/json":
            return PlainTextResponse("Expected application/json.\n", 415)
    return None


def _name(host: str) -> str:
    """The host's name or address without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _token_answer(scope: Scope, rules: Rules) -> Response | None:
    """None if no token is needed or it was shown; the token in an address becomes a cookie and leaves the address."""
    if rules.token is None:
        return None
    headers = Headers(scope=scope)
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if any(_same(shown, rules.token) for shown in (_cookie(headers), bearer)):
        return None
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if scope["method"] == "GET" and any(name == "token" and _same(value, rules.token) for name, value in query):
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # `//elsewhere` would lead to another host
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
        answer.set_cookie(COOKIE, rules.token, httponly=True, samesite="strict")
        return answer
    what = "This page needs its token: open the address that `tuneclip serve` printed, with ?token=… at its end.\n"
    return PlainTextResponse(what, 401)


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _same(shown: str, token: str) -> bool:
    return hmac.compare_digest(shown.encode(), token.encode())
