"""Whether texts are in the language that their file declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from llmaudit.probesets.parts import main_language
from llmaudit.probesets.readability import without_code
from llmaudit.yamlproblems import Fault, KeyPath

KNOWN = frozenset({"ar", "de", "en", "es", "fr", "hi", "it", "nl", "pt", "ru", "tr", "zh"})
"""The languages that a text is held against, besides those that its file names."""

#: A shorter text may be taken for a related language.
_MIN_LETTERS = 60
_CERTAIN = 0.9


def lint_language(
    texts: Mapping[KeyPath, str], declared: str, others: Sequence[str]
) -> Iterator[Fault]:
    """Yield texts that are in another language than the declared one, by all that is known.

    Languages that the detector does not know are not checked.

    Parameters
    ----------
    texts : mapping of key path to str
    declared : str
        BCP 47.
    others : sequence of str
        Further languages that the file says its texts may be in.
    """
    wanted = {main_language(each) for each in (declared, *others)}
    detector = _detector(frozenset(KNOWN | wanted))
    if main_language(declared) not in _codes(detector):
        return
    for path, text in texts.items():
        found = identify(text, detector)
        if found is not None and found not in wanted:
            problem = f"is in {found}, not in {declared}"
            yield path, problem, "translate it, or declare its language under other_languages"
    whole = identify(" ".join(texts.values()), detector)
    if whole is not None and whole not in wanted:
        yield ("language",), f"the texts are in {whole}, not in {declared}", "correct the language"


def identify(text: str, detector: tuple[Any, frozenset[str]]) -> str | None:
    """Return the ISO 639-1 code of a text's language, None where that is not certain."""
    plain = without_code(text)
    if sum(letter.isalpha() for letter in plain) < _least(plain):
        return None
    best = detector[0].compute_language_confidence_values(plain)[0]
    if best.value < _CERTAIN:
        return None
    return str(best.language.iso_code_639_1.name.lower())


def _least(text: str) -> int:
    """Return how many letters are needed; a Chinese character says more than a letter."""
    return 15 if any("一" <= letter <= "鿿" for letter in text) else _MIN_LETTERS


@lru_cache(maxsize=4)
def _detector(codes: frozenset[str]) -> tuple[Any, frozenset[str]]:
    """Return a detector of these languages, with the codes of those it knows."""
    from lingua import Language, LanguageDetectorBuilder

    known = {one.iso_code_639_1.name.lower(): one for one in Language.all()}
    chosen = [known[code] for code in sorted(codes & set(known))]
    return LanguageDetectorBuilder.from_languages(*chosen).build(), frozenset(codes & set(known))


def _codes(detector: tuple[Any, frozenset[str]]) -> frozenset[str]:
    return detector[1]
