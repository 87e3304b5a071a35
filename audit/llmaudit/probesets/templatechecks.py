"""What must hold between the keys of one template of a probe set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llmaudit.probesets.constraints import check_constraints
from llmaudit.probesets.gaps import check_gap, is_gap
from llmaudit.probesets.lexiconchecks import check_unique
from llmaudit.probesets.lexicons import LexiconFile, agreement_classes, known_forms
from llmaudit.probesets.schema import Answers, Case, ProbeSetFile, Template
from llmaudit.probesets.sizing import texts_of, values_of
from llmaudit.probesets.slots import IDENTITY, Pick, Slot, SlotSyntaxError, parse_text
from llmaudit.probesets.wrapping import check_turns
from llmaudit.records import CASE, GAP, TECHNIQUE, Task
from llmaudit.yamlproblems import Fault, KeyPath, name_nearest, quote

FAVOURABLE = "favourable"
"""The tag that carries the label of the favourable choice to the metrics."""

_TAKEN = (FAVOURABLE, GAP, CASE, TECHNIQUE)


def check_template(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    """Yield every fault of a template, with its key within the template.

    Parameters
    ----------
    definition : ProbeSetFile
        The set.
    template : Template
        One of its templates.
    lexicons : mapping of str to LexiconFile
        By axis; what needs an absent one is not checked.
    """
    yield from _check_parts(definition.task, template)
    yield from _check_answers(definition, template, None)
    for place, case in enumerate(template.cases or ()):
        for key, problem, remedy in _check_answers(definition, template, case):
            yield ("cases", place, *key), problem, remedy
    for place, axis in enumerate(template.axes or ()):
        if axis not in definition.axes:
            found = f"axis {quote(axis)} is not among the set's axes"
            yield ("axes", place), found, name_nearest(axis, definition.axes)
        elif axis in (template.axes or ())[:place]:
            yield ("axes", place), f"axis {quote(axis)} is named twice", "keep only one"
    yield from _check_slot_names(template)
    yield from _check_tags(template)
    yield from _check_cases(template)
    yield from check_constraints(template)
    yield from _check_agreement(definition, template, lexicons)
    yield from _check_texts(definition, template, lexicons)


def only_for_choices(task: Task) -> tuple[str, str]:
    """Return what is wrong with a key about choices in a set of another task, and the remedy."""
    return f"a set with task {task.value} has no choices", "remove it, or write task: choices"


def _check_parts(task: Task, template: Template) -> Iterator[Fault]:
    """Yield texts that the task needs and lacks, and texts that nothing would read."""
    if template.turns is not None:
        yield from check_turns(template.conversation())
        if template.prompt is not None:
            yield ("prompt",), "stands beside turns", "keep one of the two"
    if task is Task.CARRIER:
        if template.plain is None:
            yield ("plain",), "a carrier needs its text under plain", "add plain"
        for key in ("prompt", "turns", "system"):
            if getattr(template, key) is not None:
                yield (key,), "no model is asked a carrier", "move the text to plain"
        return
    if task is Task.GENERATE and not template.asks:
        yield ("prompt",), "a generate template needs a prompt", "add prompt, or turns"
    elif not template.asks and template.plain is not None:
        remedy = "add prompt, or leave out both so that the choices stand alone"
        yield ("plain",), "plain without a prompt: a chat model would be sent nothing", remedy
    if not template.asks and template.system is not None:
        yield ("system",), "a system turn without a prompt", "add prompt or remove system"


def _check_answers(
    definition: ProbeSetFile, template: Template, case: Case | None
) -> Iterator[Fault]:
    """Yield faults of the choices of a template or case, and of the answer expected of them."""
    holder: Template | Case = template if case is None else case
    if definition.task is not Task.CHOICES:
        if holder.choices is not None:
            yield ("choices",), *only_for_choices(definition.task)
        return
    choices = definition.choices_of(template, case)
    if holder.expected is not None and choices and holder.expected not in choices:
        found = f"expected {quote(holder.expected)} is not a label of its choices"
        yield ("expected",), found, name_nearest(holder.expected, choices)
    elsewhere = case is None and template.cases and all(each.choices for each in template.cases)
    if elsewhere or (case is not None and case.choices is None):
        return
    if len(choices) < 2:
        yield ("choices",), f"{len(choices)} choices, at least 2 are needed", "add choices"
    elif definition.favourable is not None and definition.favourable not in choices:
        found = f"favourable {quote(definition.favourable)} is not a label of its choices"
        yield ("choices",), found, name_nearest(definition.favourable, choices)
    if len(set(choices.values())) < len(choices):
        yield ("choices",), "two choices have the same text", "make them differ"


def _check_slot_names(template: Template) -> Iterator[Fault]:
    for slot, values in template.slots.items():
        if slot == IDENTITY or slot in _TAKEN or slot in template.tags:
            yield ("slots", slot), f"the name {quote(slot)} is taken", "rename the slot"
        first: dict[object, int] = {}
        for place, value in enumerate(values):
            key = value if isinstance(value, str) else tuple(sorted(value.items()))
            if first.setdefault(key, place) != place:
                shown = quote(value) if isinstance(value, str) else "this value"
                yield ("slots", slot, place), f"{shown} stands twice", "keep only one"


def _check_tags(template: Template) -> Iterator[Fault]:
    holders: list[tuple[KeyPath, Answers]] = [((), template)]
    holders += [(("cases", place), case) for place, case in enumerate(template.cases or ())]
    taken = (*_TAKEN, "category") if template.harm else _TAKEN
    for path, holder in holders:
        for name in taken:
            if name in holder.tags:
                yield (*path, "tags", name), f"the name {name!r} is taken", "rename the tag"


def _check_cases(template: Template) -> Iterator[Fault]:
    """Yield cases that have other slots than the first, or share its id or a slot's name."""
    cases = template.cases or ()
    yield from check_unique("cases", "id", [case.id for case in cases])
    wanted = set(cases[0].slots) if cases else set()
    for place, case in enumerate(cases):
        path: KeyPath = ("cases", place, "slots")
        for slot in sorted(wanted - set(case.slots)):
            yield path, f"slot {quote(slot)} is missing", "give every case the same slots"
        for slot in case.slots:
            if slot not in wanted:
                found = f"slot {quote(slot)} is not a slot of the first case"
                yield (*path, slot), found, "give every case the same slots"
            if slot in template.slots or slot in {IDENTITY, GAP}:
                yield (*path, slot), f"the name {quote(slot)} is taken", "rename the slot"


def _check_agreement(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    """Yield inflected words that lack a class of the template's groups, or have one too many."""
    axes = definition.axes_of(template)
    if any(axis not in lexicons for axis in axes):
        return
    classes = {lexicons[axis].id: agreement_classes(lexicons[axis]) for axis in axes}
    known = {name for needed in classes.values() for name in needed}
    for path, given in _inflected(definition, template):
        if not axes:
            yield path, "words agree with a group, but there are no axes", "write one text"
        for lexicon, needed in classes.items():
            if not needed:
                remedy = "add agreement to its groups, or write one text"
                yield path, f"the groups of lexicon {lexicon} have no agreement", remedy
            for name in sorted(needed - given):
                yield path, f"no text for agreement {quote(name)} of lexicon {lexicon}", "add it"
        for name in sorted(given - known) if known else ():
            found = f"no group of its axes has agreement {quote(name)}"
            yield path, found, name_nearest(name, known)


def _inflected(definition: ProbeSetFile, template: Template) -> Iterator[tuple[KeyPath, set[str]]]:
    """Yield the classes of each inflected word of a template, with its key."""
    for path, text in texts_of(definition, template):
        try:
            pieces = parse_text(text)
        except SlotSyntaxError:
            continue
        for piece in pieces:
            if isinstance(piece, Pick):
                yield path, set(piece.classes)
    for path, value in values_of(template):
        if not isinstance(value, str):
            yield path, set(value)


def _check_texts(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    """Yield unknown slots, and slots that a text sent to either kind of model leaves out."""
    slots: dict[KeyPath, list[Slot]] = {}
    broken = False
    for path, text in texts_of(definition, template):
        try:
            pieces = parse_text(text)
        except SlotSyntaxError as error:
            yield path, str(error), "write {name}, {identity.form}, or {{ and }} for braces"
            broken = True
            continue
        for problem, remedy in check_gap(definition.task, path, pieces):
            yield path, problem, remedy
        found = [piece for piece in pieces if isinstance(piece, Slot) and not is_gap(piece)]
        slots[path] = found
        yield from _check_known(path, found, definition, template, lexicons)
    for name, keys in () if broken else _renderings(template):
        texts = [found for path, found in slots.items() if path[0] in keys and _is_sent(path)]
        used = {slot.name for found in texts for slot in found}
        if texts:
            yield from _check_used(name, used, definition, template)


def _is_sent(path: KeyPath) -> bool:
    """Return whether a text is shown to the model; what answers are held against is not."""
    return not {"references", "false_references"} & set(path)


def _renderings(template: Template) -> Iterator[tuple[str, set[str]]]:
    """Yield each thing that is sent, with the keys it is made of."""
    asked = "prompt" if template.turns is None else "turns"
    if template.asks:
        yield asked, {"system", asked, "choices", "cases"}
    if template.plain is not None or not template.asks:
        yield "plain", {"plain", "choices", "cases"}
    elif template.system is not None:
        # The plain text is that of the turns then, and has no system turn.
        yield asked, {asked, "choices", "cases"}


def _check_known(
    path: KeyPath,
    slots: Iterable[Slot],
    definition: ProbeSetFile,
    template: Template,
    lexicons: Mapping[str, LexiconFile],
) -> Iterator[Fault]:
    known = template.slot_names()
    for slot in slots:
        if slot.form is None and slot.name not in known:
            found = f"{{{slot.name}}} is not among the template's slots"
            yield path, found, name_nearest(slot.name, known)
        for axis in definition.axes_of(template) if slot.form is not None else ():
            if axis not in lexicons:
                continue
            forms = known_forms(lexicons[axis])
            if slot.form is not None and slot.form not in forms:
                found = f"lexicon {lexicons[axis].id} has no form {quote(slot.form)}"
                yield path, found, name_nearest(slot.form, forms)


def _check_used(
    name: str, used: set[str], definition: ProbeSetFile, template: Template
) -> Iterator[Fault]:
    key: KeyPath = (name,) if getattr(template, name) is not None else ("choices",)
    for slot in template.slot_names():
        if slot not in used:
            found = f"slot {quote(slot)} is not used, so its values give equal texts"
            yield key, found, f"write {{{slot}}} in it or remove the slot"
    axes = definition.axes_of(template)
    if axes and IDENTITY not in used:
        found = f"names no group, but the axes are {', '.join(axes)}"
        yield key, found, "write {identity.noun_a} or another form, or axes: []"
    if not axes and IDENTITY in used:
        yield key, "uses {identity...}, but there are no axes", "add axes"
