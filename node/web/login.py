"""Signing in with a token, in a browser: a form, and a cookie for its answer."""

import base64
from hashlib import sha256
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from node.web.access import SESSION_S, Access
from node.web.problems import Refused

FORM_BYTES_MAX = 4096
FIELDS_MAX = 4
START = "/ui/"

_KEEP = "document.forms[0].action += location.hash"
"""A browser that is sent here keeps what stands behind the # of the address that was asked for; the
form passes it on, so that who signed in sees that page."""

_SCRIPT = f"'sha256-{base64.b64encode(sha256(_KEEP.encode()).digest()).decode()}'"
HEADERS = {
    "content-security-policy": (
        f"default-src 'self'; script-src {_SCRIPT}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
}

_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign in to Lota</title>
<main>
<h1>Sign in to Lota</h1>
<p role="alert">{{said}}</p>
<form method="post" action="/login">
<p><label for="token">Token</label></p>
<p><input id="token" name="token" type="password" autocomplete="current-password" required></p>
<p><button>Sign in</button></p>
</form>
<p>Who runs this server has the tokens: they stand in its token file, or in its environment.</p>
</main>
<script>{_KEEP}</script>
</html>
"""


def login_routes(access: Access) -> list[Route]:
    """Return the routes to sign in and out by."""

    async def login(request: Request) -> Response:
        if access.open:
            return RedirectResponse(START, 303)
        if request.method != "POST":
            return HTMLResponse(_PAGE.format(said=""), headers=HEADERS)
        try:
            session = access.signed_in(request, await _typed(request))
        except Refused as error:
            page = _PAGE.format(said=escape(error.detail))
            return HTMLResponse(page, error.status, {**HEADERS, **(error.headers or {})})
        answer = RedirectResponse(START, 303)
        answer.set_cookie(
            access.cookie,
            session,
            max_age=SESSION_S,
            httponly=True,
            samesite="strict",
            secure=access.tls,
        )
        return answer

    async def logout(_: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(access.cookie, httponly=True, samesite="strict", secure=access.tls)
        return answer

    return [
        Route("/login", login, methods=["GET", "POST"]),
        Route("/logout", logout, methods=["POST"]),
    ]


async def _typed(request: Request) -> str:
    """Return the token that a form brings."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > FORM_BYTES_MAX:
            raise Refused(413, "the form is too long", hint="send the token alone")
    try:
        fields = parse_qs(
            data.decode("latin-1"), max_num_fields=FIELDS_MAX, errors="surrogateescape"
        )
    except ValueError:
        raise Refused(422, "the form has too many fields", hint="send the token alone") from None
    return fields.get("token", [""])[0].strip()
