"""The catalogue of a library of probe sets, and a page for each set's datasheet, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from llmaudit.probesets.counting import NO_AXIS, CountedSet
from llmaudit.probesets.parts import Source

INDEX = "README.md"
_MARK = "<!-- Written by `llmaudit catalogue --out`; not to be edited. -->"


def write_pages(library: Sequence[CountedSet], folder: Path) -> list[Path]:
    """Write the catalogue and the page of every set; remove pages of sets that are gone.

    Parameters
    ----------
    library : sequence of CountedSet
    folder : Path
        Made if it does not exist. Files that the catalogue did not write are left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages = render_pages(library)
    for old in folder.glob("*.md"):
        if old.name not in pages and old.read_text(encoding="utf-8").startswith(_MARK):
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in pages]


def render_pages(library: Sequence[CountedSet]) -> dict[str, str]:
    """Return the catalogue and the page of every set by file name."""
    pages = {INDEX: f"{_MARK}\n\n{render_catalogue(library)}\n"}
    for each in library:
        pages[f"{each.id}.md"] = f"{_MARK}\n\n{render_datasheet(each)}\n"
    return pages


def render_catalogue(library: Sequence[CountedSet]) -> str:
    """Return the tables of a library: prompts by family, axis and language, and every set."""
    languages = _in_order(each.language for each in library)
    harms = _sum(each.tags.get("category", {}) for each in library)
    techniques = _sum(each.tags.get("technique", {}) for each in library)
    parts = [
        "# Catalogue of the probe library",
        "Counted from the files, every set filled. A prompt is one filled template, before samples "
        "are drawn; a template is one statistical cluster.",
        "## Families and languages",
        _table(["family", "sets", *languages, "all"], _family_rows(library, languages)),
        "## Families, axes and languages",
        f"Prompts. `a*b` are two axes at once; {NO_AXIS!r} are prompts that compare no groups.",
        _table(["family", "axis", "groups", *languages, "all"], _axis_rows(library, languages)),
        "## Sets",
        _table(
            ["set", "family", "construct", "task", "language", "templates", "prompts", "texts"],
            (_set_row(each) for each in library),
        ),
    ]
    if harms:
        parts += ["## Harm categories", "Templates by category.", _counts("category", harms)]
    if techniques:
        parts += ["## Techniques", "Requests by technique.", _counts("technique", techniques)]
    return "\n\n".join(parts)


def render_datasheet(each: CountedSet) -> str:
    """Return the page of one set: its datasheet in the short form of Gebru et al. 2018."""
    definition = each.probe_set.definition
    sheet = definition.datasheet
    texts = definition.written or "not said"
    facts = [
        ("id, version", f"`{definition.id}`, {definition.version}"),
        ("digest", f"`{each.probe_set.digest}`"),
        ("family", each.family),
        ("construct, task", f"{definition.construct_name}, {definition.task.value}"),
        ("language", definition.language),
        ("metrics", ", ".join(f"`{name}`" for name in definition.metrics) or "none"),
        ("templates, prompts", f"{len(each.probe_set.templates()):,}, {each.prompts:,}"),
        ("texts", f"written {texts}" if definition.written else texts),
        ("checked", "; ".join(definition.checked) or "not said"),
        ("author, licence", f"{definition.author}, {definition.licence}"),
    ]
    if definition.translation_of:
        facts.append(("translation of", f"`{definition.translation_of}`"))
    if definition.compose:
        wrapped = ", ".join(f"`{name}`" for name in definition.compose.wrappers)
        facts.append(("made of", f"`{definition.compose.probe_set}` in the wrappers {wrapped}"))
    parts = [
        f"# {definition.title}",
        _table(["", ""], facts),
        *_section("Motivation", sheet.motivation),
        *_section("Composition", sheet.composition),
        *_groups(each),
        *_makeup(each),
        *_section("Collection", sheet.collection),
        "## Uses",
        sheet.intended_use,
        sheet.not_for,
        "## Limits",
        _list([*sheet.known_limits, *_lexicon_limits(each)]),
        *_section("Maintenance", sheet.maintenance),
        *_sources(each),
    ]
    if definition.slurs:
        parts += ["## Slurs", f"The file declares {len(definition.slurs)} slurs in its texts."]
    return "\n\n".join(parts)


def _family_rows(library: Sequence[CountedSet], languages: Sequence[str]) -> Iterator[list[str]]:
    families = sorted({each.family for each in library})
    for family in families:
        its = [each for each in library if each.family == family]
        numbers = [sum(one.prompts for one in its if one.language == name) for name in languages]
        yield [family, f"{len(its):,}", *map(_number, [*numbers, sum(numbers)])]
    sums = [sum(each.prompts for each in library if each.language == name) for name in languages]
    total = [f"**{_number(number)}**" for number in [*sums, sum(sums)]]
    yield ["**all**", f"**{len(library):,}**", *total]


def _axis_rows(library: Sequence[CountedSet], languages: Sequence[str]) -> Iterator[list[str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    groups: dict[tuple[str, str], set[str]] = {}
    for each in library:
        for axis, by_group in each.axes.items():
            counts[each.family, axis, each.language] += sum(by_group.values())
            groups.setdefault((each.family, axis), set()).update(filter(None, by_group))
    for family, axis in sorted(groups):
        numbers = [counts[family, axis, name] for name in languages]
        named = _number(len(groups[family, axis]))
        yield [family, axis, named, *map(_number, [*numbers, sum(numbers)])]


def _set_row(each: CountedSet) -> list[str]:
    definition = each.probe_set.definition
    return [
        f"[`{each.id}`]({each.id}.md)",
        each.family,
        definition.construct_name,
        definition.task.value,
        each.language,
        _number(len(each.probe_set.templates())),
        _number(each.prompts),
        definition.written or "not said",
    ]


def _groups(each: CountedSet) -> list[str]:
    rows = [
        [axis, group or "none", _number(number)]
        for axis, by_group in each.axes.items()
        for group, number in by_group.items()
        if axis != NO_AXIS or group
    ]
    return [_table(["axis", "group", "prompts"], rows)] if rows else []


def _makeup(each: CountedSet) -> list[str]:
    rows = [
        [name, ", ".join(f"{value} {number:,}" for value, number in values.items())]
        for name, values in each.tags.items()
    ]
    return [_table(["tag", "templates by value"], rows)] if rows else []


def _lexicon_limits(each: CountedSet) -> Iterator[str]:
    for axis, lexicon in each.probe_set.lexicons.items():
        for limit in lexicon.known_limits:
            yield f"{axis}: {limit}"


def _sources(each: CountedSet) -> list[str]:
    found: list[Source] = list(each.probe_set.definition.sources)
    for lexicon in each.probe_set.lexicons.values():
        found += lexicon.sources
    for file in each.probe_set.wrappers:
        found += file.sources
    lines = [f"{source.claim} ({source.source})" for source in found]
    return ["## Sources", _list(dict.fromkeys(lines))] if lines else []


def _section(title: str, text: str | None) -> list[str]:
    return [f"## {title}", text] if text else []


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {' '.join(line.split())}" for line in lines)


def _counts(name: str, counts: Mapping[str, int]) -> str:
    rows = [[value, _number(number)] for value, number in sorted(counts.items())]
    return _table([name, "number"], rows)


def _sum(every: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in every:
        total.update(counts)
    return total


def _in_order(languages: Iterable[str]) -> list[str]:
    """Return each language once, English first."""
    return sorted(set(languages), key=lambda name: (not name.startswith("en"), name))


def _number(number: int) -> str:
    return f"{number:,}" if number else ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
