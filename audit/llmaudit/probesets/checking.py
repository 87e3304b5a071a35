"""What must hold between the keys of a probe set, and between it and its lexicons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmaudit.probesets.lexiconchecks import check_stem, check_unique
from llmaudit.probesets.lexicons import LexiconFile
from llmaudit.probesets.metricneeds import NEED_FAVOURABLE, check_metric_needs
from llmaudit.probesets.schema import METRICS, ProbeSetFile
from llmaudit.probesets.sizing import MAX_CHARACTERS_UNFILLED, check_sizes, count_characters
from llmaudit.probesets.templatechecks import check_template, only_for_choices
from llmaudit.records import Task
from llmaudit.yamlproblems import Fault, KeyPath, name_nearest, quote


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
    yield from check_stem(definition.id, stem)
    yield from check_unique("templates", "id", [each.id for each in definition.probes])
    for place, axis in enumerate(definition.axes):
        if axis in definition.axes[:place]:
            yield ("axes", place), f"axis {quote(axis)} is named twice", "keep only one"
    yield from _check_metrics(definition)
    yield from _check_set_choices(definition)
    yield from check_metric_needs(definition)
    yield from _check_selection(definition, lexicons)
    if (definition.compose is None) == (definition.templates is None):
        remedy = "write templates, or compose to wrap the requests of another set"
        yield ("templates",), "needs either templates or compose", remedy
    # The set's choices count once per template: a small file must not keep us busy for hours.
    if count_characters(definition) > MAX_CHARACTERS_UNFILLED:
        found = f"more than {MAX_CHARACTERS_UNFILLED:,} characters in its templates"
        yield ("templates",), found, "split the set"
        return
    for place, template in enumerate(definition.probes):
        path: KeyPath = ("templates", place)
        for key, problem, remedy in check_template(definition, template, lexicons):
            yield (*path, *key), problem, remedy
    yield from check_sizes(definition, lexicons)


def _check_selection(
    definition: ProbeSetFile, lexicons: Mapping[str, LexiconFile]
) -> Iterator[Fault]:
    """Yield selected groups that no lexicon has, and a number of names without a use."""
    for axis, groups in definition.groups.items():
        if axis not in definition.axes:
            found = f"axis {quote(axis)} is not among the set's axes"
            yield ("groups", axis), found, name_nearest(axis, definition.axes)
        elif axis in lexicons:
            known = [group.id for group in lexicons[axis].groups]
            for place, group in enumerate(groups):
                path: KeyPath = ("groups", axis, place)
                if group not in known:
                    found = f"lexicon {lexicons[axis].id} has no group {quote(group)}"
                    yield path, found, name_nearest(group, known)
                elif group in groups[:place]:
                    yield path, f"group {quote(group)} is named twice", "keep only one"
    named = [each for each in lexicons.values() if each.kind == "names"]
    if definition.names is not None and len(lexicons) == len(definition.axes) and not named:
        yield ("names",), "no axis of the set has a lexicon of names", "remove it"


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
        if definition.favourable is None and NEED_FAVOURABLE & set(definition.metrics):
            remedy = "name the label of the good or stereotyping choice"
            yield ("favourable",), "the metrics need to know the favourable choice", remedy
        return
    if definition.choices is not None:
        yield ("choices",), *only_for_choices(definition.task)
    if definition.favourable is not None:
        yield ("favourable",), *only_for_choices(definition.task)
