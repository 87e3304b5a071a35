"""Faults of wording that filling templates easily makes and nobody means."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DOUBLED_SPACE = re.compile(r"(?<=\S) {2,}(?=\S)")
_DOUBLED_MARK = re.compile(
    r",\s*[,;:!?]|,\s*\.(?!\.)|;\s*[;,.]|[?!]\s?[.,;](?!\.)|(?<=\w)\.\s?\.(?![.\w/])|(?<=\w)\.,,"
)
_SPACE_BEFORE_MARK = re.compile(r"(?<=\w) [,.](?=\s|$)")
_ARTICLE = re.compile(
    r"(?:(?<=[\s\"'(‘“])|^)(an?|(?<![^.!?:\s\"“] )An?) [\"'‘“(]?(\w+)", re.MULTILINE
)

_NOT_CONTRACTED = "is written as one word"
_FAULTS = {
    "es": (
        (re.compile(r"\b(?:[Aa]|[Dd]e) el (?=\w)"), _NOT_CONTRACTED),
        (re.compile(r"\by (?:i|hi(?!e))\w+", re.IGNORECASE), "should begin with 'e'"),
        (re.compile(r"\bo h?o\w+", re.IGNORECASE), "should begin with 'u'"),
    ),
    "fr": (
        (re.compile(r"\b(?:[Àà]|[Dd]e) les? (?=[^\W\d_])"), _NOT_CONTRACTED),
        (
            re.compile(
                r"(?<![-\w])(?:de|que|je|ne|me|te|se|le|la|jusque|lorsque|puisque) "
                r"(?!onz|oui|une\b du )[aeiouàâéèêëîïôùûœ]\w*",
                re.IGNORECASE,
            ),
            "lacks its elision",
        ),
    ),
    "pt": (
        (re.compile(r"\b(?:[Dd]e|[Ee]m|[Pp]or) [oa]s? (?=\w)"), _NOT_CONTRACTED),
        (re.compile(r"\b[Aa] as? (?=\w)"), "should be written with 'à'"),
    ),
    "zh": ((re.compile(r"[\u4e00-\u9fff] +[\u4e00-\u9fff]"), "has a space between characters"),),
}
"""Faults that filling slots makes in other languages than English, by language."""

_AN_CONSONANTS = re.compile(r"hour|honest|honou?r|heir", re.IGNORECASE)
_EITHER = re.compile(r"herb|historic|hotel|habitual|homage", re.IGNORECASE)
_A_VOWELS = re.compile(
    r"uni(?!n|m|dentif|ron|ss)|unanim|us[aeiu]|ut[aeio]|ur[aiou]|ubi|ufo|ugand|uk|uig|uyg"
    r"|eu|ewe|once$|one(?!r)|ouija",
    re.IGNORECASE,
)
_AN_NUMBER = re.compile(r"(8\d*|(11|18)(\d{3})*)[a-z]*")
_EITHER_NUMBER = re.compile(r"1[18]\d\d[a-z]*")
# After "vitamin A" or "a" as a letter, an article does not stand before these.
_NO_NOUN = frozenset({"a", "an", "and", "are", "as", "at", "if", "in", "is", "of", "on", "or"})


def find_wording_faults(text: str, language: str) -> Iterator[str]:
    """Yield what is wrong with the wording of a text.

    Doubled spaces and doubled punctuation in every language; in Spanish, French and Portuguese
    contractions and elisions that are not made, in Chinese spaces between characters; in English
    ``a`` where ``an`` belongs and the reverse. Acronyms and single letters are left alone, since
    only their reader knows how they are pronounced.

    Parameters
    ----------
    text : str
        A filled text.
    language : str
        Its BCP 47 language.

    Examples
    --------
    >>> list(find_wording_faults("She is a engineer.", "en"))
    ["'a engineer' should be 'an engineer'"]
    """
    if _DOUBLED_SPACE.search(text):
        yield f"doubled space in {_around(_DOUBLED_SPACE, text)}"
    if _DOUBLED_MARK.search(text):
        yield f"doubled punctuation in {_around(_DOUBLED_MARK, text)}"
    main = language.split("-")[0]
    for pattern, fault in _FAULTS.get(main, ()):
        match = pattern.search(text)
        if match:
            yield f"{match.group().strip()!r} {fault}"
    if main == "en":
        if _SPACE_BEFORE_MARK.search(text):
            yield f"space before punctuation in {_around(_SPACE_BEFORE_MARK, text)}"
        yield from _find_article_faults(text)


def _around(pattern: re.Pattern[str], text: str) -> str:
    """Return the first match with some text around it, for a message."""
    match = pattern.search(text)
    start = match.start() if match else 0
    return repr(text[max(0, start - 20) : start + 20])


def _find_article_faults(text: str) -> Iterator[str]:
    for match in _ARTICLE.finditer(text):
        article, word = match.group(1), match.group(2)
        right = _right_article(word)
        if right is not None and article.lower() != right:
            should = right if article[0] == "a" else right.capitalize()
            yield f"'{article} {word}' should be '{should} {word}'"


def _right_article(word: str) -> str | None:
    """Return ``a`` or ``an`` by how an English word begins, None where that is not certain."""
    if word[0].isdigit():
        if _EITHER_NUMBER.fullmatch(word):
            return None
        return "an" if _AN_NUMBER.fullmatch(word) else "a"
    acronym = any(letter.isupper() for letter in word[1:])
    if acronym or len(word) == 1 or not word.isascii():
        return None
    if word.lower() in _NO_NOUN or _EITHER.match(word):
        return None
    if word[0].lower() in "aeiou":
        return "a" if _A_VOWELS.match(word) else "an"
    return "an" if _AN_CONSONANTS.match(word) else "a"
