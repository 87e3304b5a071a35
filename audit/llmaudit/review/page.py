"""The page on which one rater labels: one file, no network, no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from markupsafe import Markup

from llmaudit import resources
from llmaudit.report.html import html_environment, render_template
from llmaudit.review.questions import QUESTIONS
from llmaudit.review.sheets import Shown

_TEMPLATE = "review.html.j2"
_IN_SCRIPT = {code: f"\\u{code:04x}" for code in (*map(ord, "<>&"), 0x2028, 0x2029)}


def render_page(rater: str, plan: str, items: Sequence[Shown]) -> str:
    """Return the labelling page of one rater as HTML.

    Parameters
    ----------
    rater : str
        Also the name of the file that the page makes.
    plan : str
        The plan's digest: what was labelled under another is not mixed in.
    items : sequence of Shown
        In the order in which they are to be labelled.
    """
    style, script = _read("review.css"), _read("review.js")
    constructs = dict.fromkeys(one.construct for one in items)
    data = {
        "plan": plan,
        "rater": rater,
        "questions": {
            name: {
                "text": QUESTIONS[name].text,
                "hint": QUESTIONS[name].hint,
                "labels": list(QUESTIONS[name].labels.items()),
            }
            for name in constructs
        },
        "items": [
            {
                "item": one.item,
                "construct": one.construct,
                "prompt": one.prompt,
                "answer": one.answer,
            }
            for one in items
        ],
    }
    values = {
        "rater": rater,
        "number": len(items),
        "style": Markup(style),  # noqa: S704 - shipped with the program
        "script": Markup(script),  # noqa: S704 - shipped with the program
        "data": Markup(_for_script(data)),  # noqa: S704 - nothing in it can end the element
        "policy": (
            f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
    }
    return render_template(html_environment(None), _TEMPLATE, values, None)


def _read(name: str) -> str:
    return (resources.templates_dir() / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _for_script(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_IN_SCRIPT)
