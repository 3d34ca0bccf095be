"""A job as one file: the views of its page, the modules and the style, in HTML that asks nobody.

The modules are written one behind the other, in the order in which they need each other, without
their imports and exports; so no two of them may give a name twice. The file's own policy lets a
browser run this one script and apply this one style, by their digests, and reach nothing else.
"""

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from typing import Any

from node.web.pages import page_files
from node.web.views.html import Data, render

MODULES = ("words.js", "dom.js", "cursor.js", "show.js", "exported.js")

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header><span class="brand">Lota</span><span class="note">A job, {when}</span></header>
<p id="status" role="status"></p>
<main id="main" tabindex="-1"></main>
{kept}
<script type="module">{script}</script>
</body>
</html>
"""


def job_page(job: str, when: str, views: Mapping[str, Any]) -> bytes:
    """Return the file of a job: `views` is what `node.web.views.kept` makes, of a moment `when`."""
    script, style = page_script(), page_files()["style.css"].decode()
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    page = PAGE.format(
        policy=policy,
        title=escape(f"Job {job}"),
        when=escape(when),
        style=style,
        kept=render(Data("kept", views)),
        script=script,
    )
    return page.encode()


def page_script() -> str:
    """Return the modules of a job's page as one."""
    texts = (page_files()[name].decode() for name in MODULES)
    return "".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"
