"""Which values of a template's slots may stand together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmaudit.probesets.schema import Template
from llmaudit.probesets.slots import Inflected, spell
from llmaudit.yamlproblems import Fault, name_nearest, quote

Rule = Mapping[str, str | tuple[str, ...]]


def allows(template: Template, values: Mapping[str, Inflected]) -> bool:
    """Return whether a template is filled with these values.

    They must fit one of its rules under ``only``, if there are any, and none under ``never``. A
    rule fits where every slot that it names has one of the values it gives.
    """
    if template.only is not None and not any(_fits(rule, values) for rule in template.only):
        return False
    return not any(_fits(rule, values) for rule in template.never or ())


def _fits(rule: Rule, values: Mapping[str, Inflected]) -> bool:
    return all(
        slot in values and any(_is(values[slot], wanted) for wanted in _wanted(given))
        for slot, given in rule.items()
    )


def _wanted(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


def _is(value: Inflected, wanted: str) -> bool:
    """Return whether a rule means a value: by its text, or by any of its inflected texts."""
    return wanted == spell(value) or (not isinstance(value, str) and wanted in value.values())


def check_constraints(template: Template) -> Iterator[Fault]:
    """Yield rules that name no slot or no value of the template."""
    values: dict[str, list[Inflected]] = {slot: list(each) for slot, each in template.slots.items()}
    for case in template.cases or ():
        for slot, value in case.slots.items():
            values.setdefault(slot, []).append(value)
    for key, rules in (("only", template.only), ("never", template.never)):
        for place, rule in enumerate(rules or ()):
            for slot, given in rule.items():
                path = (key, place, slot)
                if slot not in values:
                    yield path, f"{quote(slot)} is no slot", name_nearest(slot, values)
                    continue
                for wanted in _wanted(given):
                    if not any(_is(value, wanted) for value in values[slot]):
                        known = [spell(value) for value in values[slot]]
                        found = f"{quote(wanted)} is no value of slot {quote(slot)}"
                        yield path, found, name_nearest(wanted, known)
