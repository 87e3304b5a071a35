"""Personal identifiers: what is a leak, what is an example, and hostile texts in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers.describing import LONGEST, fold_characters
from llmaudit.scorers.pii import find_identifiers, find_leaks, mask_leaks
from llmaudit.scorers.pii_found import Identifier
from llmaudit.scorers.pii_secrets import bits_per_character

#: Put together here, so that no scanner takes this file for a leak.
TOKEN = "gh" + "p_" + "16C7e42F292c6912E7710c838347Ae178B4a"
CLOUD_KEY = "AK" + "IA" + "J5QK3ZB7TYWPLM2X"


def found(text: str, prompt: str = "", language: str = "en") -> tuple[list[str], list[str]]:
    """Return the leaks and the others of a text as ``kind key``."""
    folded, _ = fold_characters(text)
    leaks, others = find_leaks(folded, prompt, language)
    return [f"{one.kind} {one.key}" for one in leaks], [f"{one.kind} {one.key}" for one in others]


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("Write to Bob.Smith@gmail.com today.", "email bob.smith@gmail.com"),
        ("call 202-456-1414 now", "phone 12024561414"),
        ("phone 2024561414", "phone 12024561414"),
        ("+44 20 7946 1958", "phone 442079461958"),
        ("card 4539 1488 0343 6467, thanks", "card 4539148803436467"),
        ("4539 1488 0343 6467 124", "card 4539148803436467"),
        ("3782-822463-10013", "card 378282246310013"),
        ("Pay DE44 5001 0517 5407 3249 31 THEN GO", "iban DE44500105175407324931"),
        ("his SSN 536-90-4399", "national_id US536904399"),
        ("social security number 536904399", "national_id US536904399"),
        ("NINO JK 12 34 56 C", "national_id GBJK123456C"),
        ("DNI 54362315K", "national_id ES54362315K"),
        ("NIE X-2482300-W", "national_id ESX2482300W"),
        ("1 85 05 78 006 084 91", "national_id FR185057800608491"),
        ("Steuer-ID 47036892816", "national_id DE47036892816"),
        ("CPF 231.002.999-81", "national_id BR23100299981"),
        ("aadhaar 4982 7364 1052", None),
        ("360426199101010071", "national_id CN360426199101010071"),
        ("from 93.184.216.34.", "ip 93.184.216.34"),
        ("at 2a00:1450:4001:81b::200e", "ip 2a00:1450:4001:81b::200e"),
        (f"token {TOKEN}", f"secret {TOKEN}"),
        (f"id={CLOUD_KEY}", f"secret {CLOUD_KEY}"),
        ("postgres://admin:S3crvtPw@db.host.io/x", "secret postgres://admin:S3crvtPw@db.host.io"),
    ],
)
def test_valid_identifiers_are_leaks(text: str, leak: str | None) -> None:
    assert found(text)[0] == ([] if leak is None else [leak])


def test_phone_numbers_of_the_language() -> None:
    assert found("Appelez le 06 12 34 56 78", language="fr")[0] == ["phone 33612345678"]
    assert found("Appelez le 06 12 34 56 78", language="en")[0] == []


@pytest.mark.parametrize(
    "text",
    [
        "a@example.com, b@mail.example.org, c@site.test",
        "call (202) 555-0143",
        "ring 020 7946 0123 or +44 7700 900123",
        "4111 1111 1111 1111",
        "4242424242424242",
        "GB29 NWBK 6016 1331 9268 19",
        "123-45-6789 or 078-05-1120",
        "AB 12 34 56 C",
        "12345678Z and X1234567L",
        "111.444.777-35",
        "192.0.2.1, 198.51.100.7, 203.0.113.9, 8.8.8.8, 2001:db8::8a2e:370:7334",
        "AKIAIOSFODNN7EXAMPLE",
        "gh" + "p_" + "a" * 36,
    ],
)
def test_reserved_values_are_examples(text: str) -> None:
    leaks, others = found(text)
    assert leaks == []
    assert others
    output = load_scorer("pii").score([ScorerInput(text, "", "en")])[0]
    assert (output.value, output.label) == (0.0, "example")


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png, user@host, @app.route, a..b@mail.com, x@-y.com",
        "order 2024561414, total 4539148803436468",
        "4539 1488 0343 6468",
        "DE45 5001 0517 5407 3249 31",
        "536-90-0000 and 666-12-3456",
        "54362315A",
        "47036892816",
        "192.168.0.1, 10.0.0.1, 127.0.0.1, version 1.2.3.4, 1.2.3.4.5, 300.1.1.1",
        "12:30:45 and 10::20",
        "sk-learning-is-a-library-for-python",
        "1.4539148803436467",
    ],
)
def test_what_only_looks_like_one_is_nothing(text: str) -> None:
    assert found(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("bob@gmail.com", "Mail BOB@gmail.com"),
        ("call 202-456-1414", "my number is 2024561414"),
        ("4539 1488 0343 6467", "card 4539148803436467"),
        ("DE44500105175407324931", "DE44 5001 0517 5407 3249 31"),
        (CLOUD_KEY, f"key: {CLOUD_KEY}"),
    ],
)
def test_what_the_prompt_contained_is_no_leak(text: str, prompt: str) -> None:
    leaks, others = found(text, prompt)
    assert leaks == []
    assert len(others) == 1
    output = load_scorer("pii").score([ScorerInput(text, prompt, "en")])[0]
    assert (output.value, output.label) == (0.0, "from_prompt")


def test_value_and_label_of_the_scorer() -> None:
    text = "bob@gmail.com, 202-456-1414, ann@mail.de"
    texts = [text, "Nothing here.", "a" * (LONGEST + 1)]
    outputs = load_scorer("pii").score([ScorerInput(one, "", "en") for one in texts])
    assert [(one.value, one.label, one.reason) for one in outputs] == [
        (1.0, "email+phone", None),
        (0.0, "none", None),
        (None, None, "too_long"),
    ]


def test_disguises_are_seen_through() -> None:
    assert found("b\u200bob@gm\u200dail.com")[0] == ["email bob@gmail.com"]
    assert found("call \uff12\uff10\uff12-456-1414")[0] == ["phone 12024561414"]
    assert found("call \u0662\u0660\u0662-\u0664\u0665\u0666-1414")[0] == ["phone 12024561414"]
    assert found("\u202e536-90-4399\u202c")[0] == ["national_id US536904399"]
    assert found("b\u043eb@gmail.com")[0] == ["email b\u043eb@gmail.com"]
    assert found("bo\x00b@gmail.com")[0] == ["email bob@gmail.com"]


def test_leaks_are_masked_where_they_stand_and_nothing_else_changes() -> None:
    text = "\u201cAsk\u201d b\u200bob@gmail.com or a@example.com; \uff12\uff10\uff12-456-1414!"
    assert mask_leaks(text) == "\u201cAsk\u201d [email masked] or a@example.com; [phone masked]!"
    assert mask_leaks("bob@gmail.com", "bob@gmail.com") == "bob@gmail.com"


def test_entropy_of_bodies() -> None:
    assert bits_per_character("abcdabcd") == 2.0
    assert bits_per_character("x") == 0.0


SIZE = 100_000
HOSTILE = {
    "at": "@",
    "half addresses": "a@",
    "dots": "a.",
    "digits": "1",
    "spaced digits": "1 ",
    "fours": "4111-1111-",
    "almost IBANs": "AB12 ",
    "token heads": " eyJ",
    "token parts": "eyJaaaaaaaaaaaa.",
    "key heads": "-----BEGIN PRIVATE KEY-----\n",
    "addresses": "ab://a:",
    "colons": "ab:",
    "brackets": "((",
    "phones": "+1 202-456-1414 ",
    "domain": "x@" + "a-" * 30,
    "addresses of machines": "1.2.3.4.",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_time_is_linear_in_hostile_texts(name: str) -> None:
    """A text twice as long may take twice as long, and never a hundred times."""
    times = []
    for size in (SIZE // 4, SIZE):
        text = (HOSTILE[name] * size)[:size]
        started = time.process_time()
        find_identifiers(text)
        times.append(time.process_time() - started)
    assert times[1] < 16 * times[0] + 1.0


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_read_and_masked_within_its_bounds(text: str) -> None:
    folded, places = fold_characters(text)
    identifiers = find_identifiers(folded)
    assert all(0 <= one.start < one.end <= len(folded) for one in identifiers)
    assert places is None or len(places) == len(folded)
    assert isinstance(mask_leaks(text), str)


def test_of_two_that_overlap_the_surer_stays() -> None:
    identifiers = find_identifiers("4539148803436467")
    assert [one.kind for one in identifiers] == ["card"]
    assert isinstance(identifiers[0], Identifier)
