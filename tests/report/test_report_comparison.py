"""The pages of a comparison: as strict as the report's, and the same whatever a model said."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest
from markdown_it import MarkdownIt
from report_payloads import HTML_PAYLOADS
from test_report_html import Page

from llmaudit.changes import (
    Answer,
    Change,
    ChangeVerdict,
    Comparison,
    ExamplePair,
    Obstacle,
    PartChange,
    Side,
)
from llmaudit.report import (
    comparison_json,
    comparison_schema,
    render_comparison,
    render_comparison_markdown,
)


def part(name: str, base: float, candidate: float, verdict: ChangeVerdict) -> PartChange:
    """Return a part whose interval is ± 0.02 around the change."""
    moved = candidate - base
    worse = abs(candidate) - abs(base)
    return PartChange(
        name, base, candidate, moved, moved - 0.02, moved + 0.02, worse, worse - 0.02,
        worse + 0.02, 0.995, verdict, "max-|t| cluster bootstrap",
    )  # fmt: skip


def build_comparison(text: str = "harmless") -> Comparison:
    """Return a comparison with a regression, an open and an untested check, ``text`` everywhere."""
    worse, open_ = ChangeVerdict.REGRESSION, ChangeVerdict.INCONCLUSIVE
    muslim = part(f"Muslim {text}", -0.01, -0.25, worse)
    example = ExamplePair(
        "newly failing", "0123456789abcdef", 1, f"template {text}", f"Muslim {text}", text,
        f"{text} otherwise", Answer(text, None, 0.1, text), Answer("", None, 0.9),
    )  # fmt: skip
    first = Change(
        check="a", title=f"Hiring {text}", kind="disparity", metric="choice_log_odds_disparity",
        probe_set="hiring-decisions", axis="religion", scorer=None, margin=0.1, ideal=0.0,
        required=True, why=f"because {text}", verdict=worse, plain=f"It got worse. {text}",
        exact=f"candidate - base = -0.24. {text}", part=muslim,
        parts=(muslim, part("Jewish", 0.0, 0.01, ChangeVerdict.UNCHANGED)), n=40, n_missing=2,
        missing_reasons={f"candidate: {text}": 2}, clusters=20, p_value=0.0001, p_adjusted=0.0002,
        newly_failing=3, newly_passing=1, examples=(example,),
    )  # fmt: skip
    rate = replace(part("all", 0.1, 0.12, open_), low=None, high=None)
    second = replace(
        first, check="b", title="Toxicity", kind="ceiling", axis=None, verdict=open_, part=rate,
        parts=(rate,), examples=(), required=False, more_prompts=9, more_clusters=9,
    )  # fmt: skip
    third = replace(
        second, check="c", title="Refusals", verdict=ChangeVerdict.NOT_TESTED, part=None, parts=(),
        plain=f"Not measured. {text}", exact="",
    )  # fmt: skip
    side = Side("runs-base", "run-id", f"model {text}", "digest", {"dtype": text})
    return Comparison(
        base=side, candidate=replace(side, directory=f"candidate {text}"), suite="quick",
        policy={"id": "regression", "version": "1", "alpha": 0.05}, verdict=worse,
        changes=(first, second, third),
        differences=((f"dtype {text}", "float32", f"int8 /home/ada/{text}"),),
        allowed=(Obstacle("seed", f"seed {text}", "0", text, "noise", "paired by prompt"),),
        warnings=(f"warning {text}",),
    )  # fmt: skip


def structure(text: str) -> list[str]:
    """Return the kinds of every block and inline piece, texts aside."""
    tokens = MarkdownIt("js-default", {"html": True, "linkify": False}).parse(text)
    kinds = []
    for token in tokens:
        kinds.append(token.type)
        kinds += [c.type for c in token.children or [] if c.type not in ("text", "text_special")]
    return kinds


def test_the_page_is_self_contained_and_has_every_number() -> None:
    page = render_comparison(build_comparison())
    parsed = Page(page)
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe", "object"} & set(parsed.tags)
    names = {name for name, _ in parsed.attributes}
    assert "style" not in names
    assert not [name for name in names if name.startswith("on")]
    links = [value for name, value in parsed.attributes if name in {"href", "src"}]
    ids = [value for name, value in parsed.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert all(link and link.startswith("#") and link[1:] in ids for link in links)
    text = re.sub(r"\s+", " ", parsed.text)
    for words in (
        "−0.010 → −0.250", "[−0.260, −0.220]", "± 0.1", "regression", "Content warning",
        "3 newly failing, 1 newly passing", "Sent by candidate", "The model answered with nothing",
        "Allowed to differ", "99.5 %",
    ):  # fmt: skip
        assert words in text
    assert "default-src 'none'" in page.replace("&#39;", "'")
    assert "/home/ada" not in page


@pytest.mark.parametrize("payload", HTML_PAYLOADS)
def test_no_payload_adds_an_element(payload: str) -> None:
    assert Page(render_comparison(build_comparison(payload))).tags == Page(PLAIN).tags


PLAIN = render_comparison(build_comparison("harmless"))


@pytest.mark.parametrize(
    "payload", [*HTML_PAYLOADS, "| a |\n\n# b", "```\n# x", "</details>", "[a](b)", "* * *"]
)
def test_no_payload_changes_the_markdown(payload: str) -> None:
    hostile = render_comparison_markdown(build_comparison(payload))
    assert structure(hostile) == structure(render_comparison_markdown(build_comparison()))
    hostile.encode("utf-8")


def test_the_markdown_begins_with_the_verdict_and_folds_the_rest() -> None:
    text = render_comparison_markdown(build_comparison())
    assert text.startswith("**✕ regression**: model harmless")
    assert structure(text).count("table_open") == 1
    assert text.count("<details>") == text.count("</details>") == 3
    before, _ = text.split("<details>", 1)
    assert len(before.splitlines()) < 15


def test_the_json_satisfies_its_schema() -> None:
    values = comparison_json(build_comparison("lone \ud800 surrogate"))
    jsonschema.validate(values, comparison_schema())
    text = json.dumps(values, allow_nan=False)
    assert "/home/ada" not in text
    assert values["changes"][0]["examples"][0]["candidate"]["value"] == 0.9
    assert values["changes"][2]["part"] is None
