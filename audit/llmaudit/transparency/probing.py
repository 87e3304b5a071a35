"""What the notes say of the probe sets and of the lexicons that fill them, each lexicon once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmaudit.records import ProbeSetFacts
from llmaudit.transparency.folders import hide_folders

LEXICONS = "lexicons"
_SAID_ALREADY = {"intended_use", "known_limits", LEXICONS}
_IN_THE_HEAD = {"id", "version", "digest"}


def probe_set_pairs(sets: Sequence[ProbeSetFacts]) -> Iterator[tuple[str, str]]:
    """Yield name and text of every note on the probe sets."""
    for facts in sets:
        yield facts.id, f"{facts.title}, version {facts.version}, digest {facts.digest}"
        yield f"{facts.id}: licence and author", f"{facts.licence}; {facts.author}"
        size = f"{facts.prompts:,} prompts from {facts.templates:,} templates"
        axes = ", ".join(facts.axes) or "none"
        yield (
            f"{facts.id}: content",
            f"{facts.construct}, task {facts.task.value}, language {facts.language}, {size}, "
            f"axes: {axes}",
        )
        yield f"{facts.id}: intended use", facts.intended_use
        yield f"{facts.id}: known limits", " ".join(facts.known_limits)
        for name, value in facts.datasheet.items():
            if name not in _SAID_ALREADY:
                yield f"{facts.id}: {name.replace('_', ' ')}", in_words(value)
        lexicons = _lexicons_of(facts)
        if lexicons:
            yield f"{facts.id}: {LEXICONS}", ", ".join(_name(one) for one in lexicons)


def lexicon_pairs(sets: Sequence[ProbeSetFacts]) -> Iterator[tuple[str, str]]:
    """Yield name and text of every note on a lexicon; one that several sets use comes once."""
    told: set[str] = set()
    for facts in sets:
        for lexicon in _lexicons_of(facts):
            head = f"{_name(lexicon)}, digest {lexicon.get('digest')}"
            if head in told:
                continue
            told.add(head)
            yield _name(lexicon), f"digest {lexicon.get('digest')}"
            for name, value in lexicon.items():
                if name not in _IN_THE_HEAD and value:
                    yield f"{_name(lexicon)}: {name.replace('_', ' ')}", in_words(value)


def _lexicons_of(facts: ProbeSetFacts) -> list[Mapping[str, Any]]:
    given = facts.datasheet.get(LEXICONS)
    every = given.values() if isinstance(given, Mapping) else ()
    return [one for one in every if isinstance(one, Mapping)]


def _name(lexicon: Mapping[str, Any]) -> str:
    return f"{lexicon.get('id')} {lexicon.get('version')}"


def in_words(value: Any) -> str:
    """Return plain data as one line for readers, folders hidden.

    Examples
    --------
    >>> in_words([{"claim": "Cats sleep.", "source": "Doe 2020"}]), in_words([])
    ('Cats sleep. (Doe 2020)', 'none')
    >>> in_words({"woman": "women", "man": "men"}), in_words(["One.", "Two."])
    ('woman: women; man: men', 'One. Two.')
    """
    if isinstance(value, Mapping):
        if set(value) == {"claim", "source"}:
            return f"{in_words(value['claim'])} ({in_words(value['source'])})"
        pairs = (f"{str(key).replace('_', ' ')}: {in_words(one)}" for key, one in value.items())
        return "; ".join(pairs) or "none"
    if isinstance(value, list | tuple):
        parts = [in_words(one) for one in value]
        sentences = all(part.endswith((".", ")")) for part in parts)
        return (" " if sentences else "; ").join(parts) or "none"
    return hide_folders(str(value))
