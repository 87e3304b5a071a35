"""What a run's report prints of a probe set's datasheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmaudit.probesets.wrapping import describe_wrappers

if TYPE_CHECKING:
    from llmaudit.probesets.loading import ProbeSet


def describe(probe_set: ProbeSet) -> dict[str, Any]:
    """Return a probe set's datasheet as JSON values, with its lexicons and what it is made of."""
    file = probe_set.definition
    sheet: dict[str, Any] = file.datasheet.model_dump(mode="json", exclude_none=True)
    sheet["sources"] = [source.model_dump(mode="json") for source in file.sources]
    sheet["slurs"] = list(file.slurs)
    for key in ("written", "checked", "translation_of", "other_languages"):
        value = getattr(file, key)
        if value:
            sheet[key] = list(value) if isinstance(value, tuple) else value
    sheet["lexicons"] = {axis: _describe_lexicon(probe_set, axis) for axis in probe_set.lexicons}
    if probe_set.base is not None:
        sheet["wraps"] = {"id": probe_set.base.definition.id, "digest": probe_set.base.digest}
        sheet["wrappers"] = describe_wrappers(probe_set.wrappers)
    return sheet


def _describe_lexicon(probe_set: ProbeSet, axis: str) -> dict[str, Any]:
    lexicon = probe_set.lexicons[axis]
    described: dict[str, Any] = {
        "id": lexicon.id,
        "version": lexicon.version,
        "licence": lexicon.licence,
        "digest": probe_set.lexicon_digests[axis],
        "reference": lexicon.reference,
        "groups": {group.id: group.label for group in probe_set.groups(axis)},
        "known_limits": list(lexicon.known_limits),
        "sources": [source.model_dump(mode="json") for source in lexicon.sources],
    }
    if lexicon.written:
        described |= {"written": lexicon.written, "checked": list(lexicon.checked)}
    if lexicon.kind == "names":
        described |= {"kind": lexicon.kind, "signals": lexicon.signals}
    return described
