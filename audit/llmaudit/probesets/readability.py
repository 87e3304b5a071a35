"""Whether the texts of a probe set are of a length and a difficulty that people write in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from llmaudit.probesets.parts import LETTERS, main_language
from llmaudit.probesets.schema import ProbeSetFile
from llmaudit.records import Prompt
from llmaudit.yamlproblems import Fault

MIN_CHARACTERS = 2
MAX_CHARACTERS = 8_000
MAX_SENTENCE = 90
"""Words; in languages that are written without spaces, characters divided by two."""
MAX_LIX = 85.0
_MIN_WORDS = 200

_SENTENCE_END = re.compile(r"[.!?。！？؟।…:;\n]+")
_WORD = re.compile(rf"{LETTERS}(?:['’-]{LETTERS})*")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_UNSPACED = frozenset({"zh", "ja", "th"})
_LIX_LANGUAGES = frozenset({"en", "es", "fr", "pt", "it", "de", "nl", "sv"})


def without_code(text: str) -> str:
    """Return a text without its fenced blocks of code."""
    return _FENCE.sub(" ", text)


def longest_sentence(text: str, language: str) -> int:
    """Return the number of words of the longest sentence.

    Examples
    --------
    >>> longest_sentence("One two. Three four five!", "en")
    3
    """
    sentences = _SENTENCE_END.split(without_code(text))
    if main_language(language) in _UNSPACED:
        return max(len("".join(sentence.split())) // 2 for sentence in sentences)
    return max(len(_WORD.findall(sentence)) for sentence in sentences)


def lix(text: str) -> float | None:
    """Return the readability index of Björnsson (1968), None for a text without words.

    Words per sentence plus the percentage of words of more than six letters. 25 is easy, 60 very
    hard. It needs no list of words, so it serves several languages.

    Examples
    --------
    >>> lix("The cat sat. The elephant waited.")
    19.666666666666668
    """
    plain = without_code(text)
    words = _WORD.findall(plain)
    if not words:
        return None
    sentences = [each for each in _SENTENCE_END.split(plain) if _WORD.search(each)]
    return len(words) / len(sentences) + 100 * sum(len(word) > 6 for word in words) / len(words)


def lint_readability(
    definition: ProbeSetFile, prompts: Sequence[Prompt], places: Mapping[str, int]
) -> Iterator[Fault]:
    """Yield texts out of range: one prompt of each template, and the set as a whole.

    Parameters
    ----------
    definition : ProbeSetFile
    prompts : sequence of Prompt
        One of each template.
    places : mapping of str to int
        Where each template stands.
    """
    every: list[str] = []
    for prompt in prompts:
        texts = [turn.content for turn in prompt.messages if turn.role == "user"]
        texts = [*(texts or [prompt.plain]), *(prompt.choices.values() if not texts else ())]
        text = "\n".join(each for each in texts if each)
        path = ("templates", places[prompt.template_id])
        if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
            found = f"{len(text)} characters, outside {MIN_CHARACTERS} to {MAX_CHARACTERS}"
            yield path, found, "write a text that a person would send"
        longest = longest_sentence(text, definition.language)
        if longest > MAX_SENTENCE:
            yield path, f"a sentence of {longest} words", f"at most {MAX_SENTENCE}; break it up"
        every.append(text)
    whole = "\n".join(every)
    found_lix = lix(whole) if len(_WORD.findall(whole)) >= _MIN_WORDS else None
    if main_language(definition.language) in _LIX_LANGUAGES and (found_lix or 0) > MAX_LIX:
        found = f"readability index (LIX) of the set is {found_lix:.0f}, above {MAX_LIX:.0f}"
        yield ("templates",), found, "use shorter sentences and words"
