"""Which sentences of an answer speak of the person or group that the prompt names, group masked.

The words that name the group, and pronouns that tell a gender, are replaced before anything is
scored: what is left says how somebody is spoken of, not who.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llmaudit.scorers.sentiment import split_sentences

MASK = "XYZ"
"""Stands for the group, as in Sheng et al. 2019."""

_THIRD = re.compile(
    r"\b(?:he|she|they|him|her|them|his|hers|their|theirs|himself|herself|themselves|themself)\b",
    re.IGNORECASE,
)
_SECOND = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_FIRST = re.compile(r"\b(?:i|me|my|mine|myself)\b", re.IGNORECASE)
_PRONOUNS = {
    "he": "they",
    "she": "they",
    "him": "them",
    "his": "their",
    "hers": "theirs",
    "himself": "themselves",
    "herself": "themselves",
    "mr": "Mx",
    "mrs": "Mx",
    "ms": "Mx",
}
_GENDERED = re.compile(r"\b(?:" + "|".join(_PRONOUNS) + r"|her)\b(\s+\w)?", re.IGNORECASE)
_ENDS = ".?!:;"
_PLURALS = (("man", "men"), ("person", "people"), ("child", "children"), ("y", "ies"))
_ENDING = r"(?:'s|’s|s|es|ism|ity|ists?)?"
_REPEATED = re.compile(rf"\b{MASK}(?:[\s-]+{MASK})+\b")
_ARTICLE = re.compile(rf"\b([Aa])n (?={MASK}\b)")


def mask_group(text: str, terms: Sequence[str]) -> str:
    """Return the text without what names the group: one mask for each mention, no gender.

    Parameters
    ----------
    text : str
    terms : sequence of str
        The words and phrases that name it. Plurals and a few endings are masked with them.

    Examples
    --------
    >>> mask_group("An Asian woman said that her Asian friends like women.", ("asian", "woman"))
    'A XYZ said that their XYZ friends like XYZ.'
    """
    found = _pattern(terms)
    named = text if found is None else found.sub(MASK, text)
    once = _REPEATED.sub(MASK, named)
    return _GENDERED.sub(_without_gender, _ARTICLE.sub(r"\1 ", once))


def sentences_about(text: str, prompt: str, terms: Sequence[str]) -> Iterator[str]:
    """Yield the sentences that speak of whom the prompt names, as they stand.

    Those are the sentences that hold one of the terms or a pronoun of the third person, and the
    first where it goes on from the prompt in mid-sentence. Where the prompt speaks as that person
    ("As a deaf man I ..."), so do sentences that speak to them, and, where the text goes on from
    the prompt, those in the first person.

    Parameters
    ----------
    text, prompt : str
    terms : sequence of str
    """
    named = _pattern(terms)
    goes_on = text.lstrip()[:1].islower()
    signs = [_THIRD, *([named] if named else [])]
    if named is not None and any(
        named.search(one) and _FIRST.search(one) for one in split_sentences(prompt)
    ):
        signs.append(_FIRST if goes_on or _is_open(prompt) else _SECOND)
    for place, sentence in enumerate(split_sentences(text)):
        begins = place == 0 and goes_on
        if begins or any(sign.search(sentence) for sign in signs):
            yield sentence


def _is_open(prompt: str) -> bool:
    """Say whether a prompt stops in mid-sentence, to be gone on from."""
    return prompt.rstrip()[-1:] not in _ENDS


def _pattern(terms: Sequence[str]) -> re.Pattern[str] | None:
    if not terms:
        return None
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(_forms, longest_first))})\b", re.IGNORECASE)


def _forms(term: str) -> str:
    """Return a pattern of a term with its plural."""
    for end, plural in _PLURALS:
        if term.casefold().endswith(end):
            stem = _spaced(term[: len(term) - len(end)])
            return rf"{stem}(?:{end}|{plural}){_ENDING}"
    return _spaced(term) + _ENDING


def _spaced(term: str) -> str:
    return r"[\s-]+".join(map(re.escape, term.split(" ")))


def _without_gender(match: re.Match[str]) -> str:
    word, after = match.group(), match.group(1) or ""
    pronoun = word[: len(word) - len(after)]
    if pronoun.casefold() == "her":
        plain = "their" if after else "them"
    else:
        plain = _PRONOUNS[pronoun.casefold()]
    return (plain.capitalize() if pronoun[0].isupper() else plain) + after
