"""Crosses the templates of one probe set with the lexicons of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from llmaudit.probesets.lexicons import LexiconFile, agreement_classes, known_forms
from llmaudit.probesets.loading import ProbeSet
from llmaudit.probesets.schema import ProbeSetFile, Template
from llmaudit.probesets.sizing import texts_of
from llmaudit.probesets.slots import Pick, Slot, parse_text
from llmaudit.records import content_id


def cross_with(
    probe_set: ProbeSet, lexicons: Mapping[str, LexiconFile], digests: Mapping[str, str]
) -> ProbeSet:
    """Return a set filled with these lexicons instead of its own.

    A template is left out of an axis whose lexicon lacks a form that it uses ("three {plural}"
    cannot be said of a name), or a class that its words agree with. Of a lexicon of names each
    template takes one name, in turn.

    Parameters
    ----------
    probe_set : ProbeSet
    lexicons, digests : mapping by axis
    """
    definition = probe_set.definition
    templates = []
    for template in definition.probes:
        axes = [axis for axis, each in lexicons.items() if _suits(definition, template, each)]
        if axes:
            templates.append(template.model_copy(update={"axes": tuple(axes)}))
    changed = {"axes": tuple(lexicons), "templates": tuple(templates), "groups": {}, "names": 1}
    return replace(
        probe_set,
        definition=definition.model_copy(update=changed),
        digest=content_id({"carriers": probe_set.digest, "lexicons": dict(digests)}),
        lexicons=lexicons,
        lexicon_digests=digests,
    )


def _suits(definition: ProbeSetFile, template: Template, lexicon: LexiconFile) -> bool:
    """Return whether a lexicon has every form that a template uses, and agrees with its words."""
    forms, classes = known_forms(lexicon), agreement_classes(lexicon)
    pieces = [piece for _, text in texts_of(definition, template) for piece in parse_text(text)]
    return all(
        piece.form is None or piece.form in forms for piece in pieces if isinstance(piece, Slot)
    ) and all(classes and classes <= piece.classes for piece in pieces if isinstance(piece, Pick))
