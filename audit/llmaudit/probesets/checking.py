"""What must hold between the keys of a probe set or lexicon, and between their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llmaudit.probesets.gaps import check_gap, is_gap
from llmaudit.probesets.schema import (
    METRICS,
    REQUIRED_FORMS,
    LexiconFile,
    ProbeSetFile,
    Template,
)
from llmaudit.probesets.sizing import (
    MAX_CHARACTERS_UNFILLED,
    check_sizes,
    count_characters,
    texts_of,
)
from llmaudit.probesets.slots import IDENTITY, Slot, SlotSyntaxError, parse_text
from llmaudit.records import GAP, Task
from llmaudit.yamlproblems import Fault, KeyPath, name_nearest, quote

FAVOURABLE = "favourable"
"""The tag that carries the label of the favourable choice to the metrics."""


def check_lexicon(lexicon: LexiconFile, stem: str) -> Iterator[Fault]:
    """Yield every fault of a lexicon that its schema cannot see.

    Parameters
    ----------
    lexicon : LexiconFile
        The parsed file.
    stem : str
        The file's name without ``.yaml``.
    """
    wanted = f"{lexicon.axis}.{lexicon.language}"
    if lexicon.id != wanted:
        yield ("id",), f"id {quote(lexicon.id)} is not axis.language", f"write {wanted}"
    yield from _check_stem(lexicon.id, stem)
    groups = [group.id for group in lexicon.groups]
    yield from _check_unique("groups", "id", groups)
    yield from _check_unique("groups", "label", [group.label for group in lexicon.groups])
    if lexicon.reference is not None and lexicon.reference not in groups:
        found = f"reference {quote(lexicon.reference)} is no group of this lexicon"
        yield ("reference",), found, name_nearest(lexicon.reference, groups)
    yield from _check_forms(lexicon)


def _check_forms(lexicon: LexiconFile) -> Iterator[Fault]:
    """Yield forms that not every group has, and words that two groups share."""
    wanted = REQUIRED_FORMS | set(lexicon.groups[0].forms)
    taken: dict[tuple[str, str], str] = {}
    for place, group in enumerate(lexicon.groups):
        path: KeyPath = ("groups", place, "forms")
        for form in sorted(wanted - set(group.forms)):
            yield path, f"form {quote(form)} is missing", "give every group the same forms"
        for form in sorted(set(group.forms) - wanted):
            found = f"form {quote(form)} is not a form of the first group"
            yield (*path, form), found, "give every group the same forms"
        for form in sorted(REQUIRED_FORMS & set(group.forms)):
            other = taken.setdefault((form, group.forms[form]), group.id)
            if other != group.id:
                found = f"{quote(group.forms[form])} is also the {form} of group {other!r}"
                yield (*path, form), found, "use words that name only this group"


def check_probe_set(
    definition: ProbeSetFile, stem: str, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    """Yield every fault of a probe set that its schema cannot see.

    Parameters
    ----------
    definition : ProbeSetFile
        The parsed file.
    stem : str
        The file's name without ``.yaml``.
    lexicons : mapping of str to LexiconFile
        By axis; an axis whose lexicon was not found or is broken is absent and checked no further.
    """
    yield from _check_stem(definition.id, stem)
    yield from _check_unique("templates", "id", [each.id for each in definition.templates])
    for place, axis in enumerate(definition.axes):
        if axis in definition.axes[:place]:
            yield ("axes", place), f"axis {quote(axis)} is named twice", "keep only one"
    yield from _check_metrics(definition)
    yield from _check_set_choices(definition)
    # The set's choices count once per template: a small file must not keep us busy for hours.
    if count_characters(definition) > MAX_CHARACTERS_UNFILLED:
        found = f"more than {MAX_CHARACTERS_UNFILLED:,} characters in its templates"
        yield ("templates",), found, "split the set"
        return
    for place, template in enumerate(definition.templates):
        path: KeyPath = ("templates", place)
        for key, problem, remedy in _check_template(definition, template, lexicons):
            yield (*path, *key), problem, remedy
    yield from check_sizes(definition, lexicons)


def _check_stem(name: str, stem: str) -> Iterator[Fault]:
    if name != stem:
        found = f"id {quote(name)} is not the file's name {quote(stem)}"
        yield ("id",), found, "rename the file or change the id"


def _check_unique(key: str, attribute: str, names: list[str]) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if first.setdefault(name, place) != place:
            found = f"{attribute} {quote(name)} is already that of {key}[{first[name]}]"
            yield (key, place, attribute), found, "give each its own"


def _check_metrics(definition: ProbeSetFile) -> Iterator[Fault]:
    known = METRICS[definition.task]
    for place, metric in enumerate(definition.metrics):
        if metric not in known:
            found = f"no metric {quote(metric)} reads a set with task {definition.task.value}"
            yield ("metrics", place), found, name_nearest(metric, known)
        elif metric.endswith("_disparity") and not definition.axes:
            found = f"metric {metric} compares groups, but the set names no axis"
            yield ("metrics", place), found, "add axes or remove the metric"


def _check_set_choices(definition: ProbeSetFile) -> Iterator[Fault]:
    if definition.task is Task.CHOICES:
        if definition.favourable is None and definition.metrics:
            remedy = "name the label of the good or stereotyping choice"
            yield ("favourable",), "the metrics need to know the favourable choice", remedy
        return
    if definition.choices is not None:
        yield ("choices",), *_only_for_choices(definition.task)
    if definition.favourable is not None:
        yield ("favourable",), *_only_for_choices(definition.task)


def _only_for_choices(task: Task) -> tuple[str, str]:
    return f"a set with task {task.value} has no choices", "remove it, or write task: choices"


def _check_template(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    yield from _check_parts(definition.task, template)
    yield from _check_choices(definition, template)
    for place, axis in enumerate(template.axes or ()):
        if axis not in definition.axes:
            found = f"axis {quote(axis)} is not among the set's axes"
            yield ("axes", place), found, name_nearest(axis, definition.axes)
        elif axis in (template.axes or ())[:place]:
            yield ("axes", place), f"axis {quote(axis)} is named twice", "keep only one"
    yield from _check_slot_names(template)
    yield from _check_texts(definition, template, lexicons)


def _check_parts(task: Task, template: Template) -> Iterator[Fault]:
    """Yield texts that the task needs and lacks, and texts that nothing would read."""
    if task is Task.CARRIER:
        if template.plain is None:
            yield ("plain",), "a carrier needs its text under plain", "add plain"
        for key in ("prompt", "system"):
            if getattr(template, key) is not None:
                yield (key,), "no model is asked a carrier", "move the text to plain"
        return
    if task is Task.GENERATE and template.prompt is None:
        yield ("prompt",), "a generate template needs a prompt", "add prompt"
    elif template.prompt is None and template.plain is not None:
        remedy = "add prompt, or leave out both so that the choices stand alone"
        yield ("plain",), "plain without a prompt: a chat model would be sent nothing", remedy
    if template.prompt is None and template.system is not None:
        yield ("system",), "a system turn without a prompt", "add prompt or remove system"


def _check_choices(definition: ProbeSetFile, template: Template) -> Iterator[Fault]:
    if definition.task is not Task.CHOICES:
        if template.choices is not None:
            yield ("choices",), *_only_for_choices(definition.task)
        return
    choices = definition.choices_of(template)
    if len(choices) < 2:
        yield ("choices",), f"{len(choices)} choices, at least 2 are needed", "add choices"
    elif definition.favourable is not None and definition.favourable not in choices:
        found = f"favourable {quote(definition.favourable)} is not a label of its choices"
        yield ("choices",), found, name_nearest(definition.favourable, choices)
    if len(set(choices.values())) < len(choices):
        yield ("choices",), "two choices have the same text", "make them differ"


def _check_slot_names(template: Template) -> Iterator[Fault]:
    reserved = {IDENTITY, FAVOURABLE, GAP}
    for slot, values in template.slots.items():
        if slot in reserved or slot in template.tags:
            yield ("slots", slot), f"the name {quote(slot)} is taken", "rename the slot"
        first: dict[str, int] = {}
        for place, value in enumerate(values):
            if first.setdefault(value, place) != place:
                yield ("slots", slot, place), f"{quote(value)} stands twice", "keep only one"
    for taken in (FAVOURABLE, GAP):
        if taken in template.tags:
            yield ("tags", taken), f"the name {taken!r} is taken", "rename the tag"


def _check_texts(
    definition: ProbeSetFile, template: Template, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    """Yield unknown slots, and slots that a text sent to either kind of model leaves out."""
    slots: dict[KeyPath, list[Slot]] = {}
    for path, text in texts_of(definition, template):
        try:
            pieces = parse_text(text)
        except SlotSyntaxError as error:
            yield path, str(error), "write {name}, {identity.form}, or {{ and }} for braces"
            return
        for problem, remedy in check_gap(definition.task, path, pieces):
            yield path, problem, remedy
        found = [piece for piece in pieces if isinstance(piece, Slot) and not is_gap(piece)]
        slots[path] = found
        yield from _check_known(path, found, definition, template, lexicons)
    for name, keys in _renderings(template):
        texts = [found for path, found in slots.items() if path[0] in keys]
        used = {slot.name for found in texts for slot in found}
        if texts:
            yield from _check_used(name, used, definition, template)


def _renderings(template: Template) -> Iterator[tuple[str, set[str]]]:
    """Yield each thing that is sent, with the keys it is made of."""
    if template.prompt is not None:
        yield "prompt", {"system", "prompt", "choices"}
    if template.plain is not None or template.prompt is None:
        yield "plain", {"plain", "choices"}
    elif template.system is not None:
        # The plain text is the prompt's then, and has no system turn.
        yield "prompt", {"prompt", "choices"}


def _check_known(
    path: KeyPath,
    slots: Iterable[Slot],
    definition: ProbeSetFile,
    template: Template,
    lexicons: Mapping[str, LexiconFile],
) -> Iterator[Fault]:
    for slot in slots:
        if slot.form is None and slot.name not in template.slots:
            known = name_nearest(slot.name, template.slots)
            yield path, f"{{{slot.name}}} is not among the template's slots", known
        for axis in definition.axes_of(template) if slot.form is not None else ():
            if axis not in lexicons:
                continue
            forms = lexicons[axis].groups[0].forms
            if slot.form is not None and slot.form not in forms:
                found = f"lexicon {lexicons[axis].id} has no form {quote(slot.form)}"
                yield path, found, name_nearest(slot.form, forms)


def _check_used(
    name: str, used: set[str], definition: ProbeSetFile, template: Template
) -> Iterator[Fault]:
    key: KeyPath = (name,) if getattr(template, name) is not None else ("choices",)
    for slot in template.slots:
        if slot not in used:
            found = f"slot {quote(slot)} is not used, so its values give equal texts"
            yield key, found, f"write {{{slot}}} in it or remove the slot"
    axes = definition.axes_of(template)
    if axes and IDENTITY not in used:
        found = f"names no group, but the axes are {', '.join(axes)}"
        yield key, found, "write {identity.noun_a} or another form, or axes: []"
    if not axes and IDENTITY in used:
        yield key, "uses {identity...}, but there are no axes", "add axes"
