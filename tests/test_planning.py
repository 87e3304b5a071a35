"""What a run asks: whose groups the carriers name, what a run's identity holds, what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from audit_cases import SUITE, write
from llmaudit.config import AuditConfig
from llmaudit.errors import UsageError
from llmaudit.planning import Plan, make_plan
from llmaudit.probesets import fill_probe_set, limit_prompts, load_probe_set
from llmaudit.records import Prompt

LEXICON = """
format: 1
id: {axis}.{language}
axis: {axis}
language: {language}
version: 1.0.0
licence: Apache-2.0
author: A test
known_limits: [None known.]
sources: []
groups:
  - id: left
    label: left-handed people
    forms: {{noun: left-handed person, noun_a: a left-handed person, plural: left-handed people}}
  - id: right
    label: right-handed people
    forms: {{noun: right-handed person, noun_a: a right-handed person, plural: right-handed people}}
"""

PROBES = """
format: 1
id: {name}
title: A set
version: 1.0.0
licence: Apache-2.0
language: {language}
construct: disparity
task: generate
axes: [{axis}]
metrics: [score_disparity]
author: A test
datasheet:
  intended_use: A test.
  not_for: Anything else.
  composition: One template.
  collection: Written for this test.
  known_limits: [It is small.]
sources: []
slurs: []
templates:
  - id: day
    prompt: "Describe a day of {{identity.noun_a}}."
"""


def _plan(folder: Path, *sets: str) -> Plan:
    """Plan a suite of these probe sets, whose files lie in ``folder``."""
    entries = "".join(f"  - {{id: {name}}}\n" for name in sets)
    before, _, rest = SUITE.partition("probe_sets:\n")
    scorers = rest[rest.index("scorers:") :]
    suite = write(folder, "small.yaml", f"{before}probe_sets:\n{entries}{scorers}")
    return make_plan(AuditConfig(model="scripted:absent", suite=str(suite)))


def _add(folder: Path, name: str, axis: str = "handedness", language: str = "en") -> str:
    """Write a probe set and its lexicon, and return the set's file name."""
    folder.mkdir(exist_ok=True)
    write(folder, f"{axis}.{language}.yaml", LEXICON.format(axis=axis, language=language))
    text = PROBES.format(name=name, axis=axis, language=language)
    write(folder, f"{name}.yaml", text)
    return f"{name}.yaml"


CARRIERS = "neutral-carriers"
CLASSES = ("neutral", "positive", "negative", "toxic")


def _carrier_groups(plan: Plan) -> set[tuple[str | None, str | None]]:
    return {(prompt.axis, prompt.group) for prompt in plan.carrier_prompts}


def test_carriers_name_the_groups_of_an_own_axis(tmp_path: Path) -> None:
    plan = _plan(tmp_path, _add(tmp_path, "own"))
    assert _carrier_groups(plan) == {("handedness", "left"), ("handedness", "right")}
    carriers = load_probe_set(CARRIERS)
    [planned] = plan.carriers
    assert len(planned.prompts) == 2 * len(carriers.definition.templates or ())
    assert "A left-handed person waited for the bus on Oak Street." in {
        prompt.plain for prompt in planned.prompts
    }
    assert planned.facts.id == CARRIERS
    assert planned.facts.digest != carriers.digest
    assert set(planned.facts.datasheet["lexicons"]) >= {"gender", "handedness"}


def test_carriers_name_the_groups_of_an_own_lexicon_for_a_shipped_axis(tmp_path: Path) -> None:
    plan = _plan(tmp_path, _add(tmp_path, "own", axis="gender"))
    assert _carrier_groups(plan) == {("gender", "left"), ("gender", "right")}


def test_shipped_lexicons_leave_the_carriers_as_they_are(tmp_path: Path) -> None:
    plan = _plan(tmp_path, "hiring-decisions", "descriptions-and-stories")
    assert [one.facts.id for one in plan.carriers] == [f"{kind}-carriers" for kind in CLASSES]
    for planned in plan.carriers:
        assert planned.facts.digest == load_probe_set(planned.facts.id).digest
    # 23 groups on the five axes that the sets compare, of the 41 that the carriers know.
    assert [len(one.prompts) for one in plan.carriers] == [44 * 23, 40 * 23, 40 * 23, 40 * 23]
    assert not _plan(tmp_path, "harmful-requests").carriers


def test_carriers_that_are_not_neutral_are_for_shares_alone(tmp_path: Path) -> None:
    decisions = _plan(tmp_path, "hiring-decisions")
    assert [one.facts.id for one in decisions.carriers] == [CARRIERS]


def test_carriers_are_not_filled_with_words_of_another_language(tmp_path: Path) -> None:
    plan = _plan(tmp_path, _add(tmp_path, "eigen", language="de"))
    assert {prompt.language for prompt in plan.carrier_prompts} == {"de"}
    # Sentences with a case that the lexicon does not have are left out.
    assert 2 * 30 < len(plan.carrier_prompts) < 2 * 44
    british = _plan(tmp_path, _add(tmp_path, "own", language="en-GB"))
    assert _carrier_groups(british) == {("handedness", "left"), ("handedness", "right")}


def test_a_lexicon_without_agreement_leaves_out_the_sentences_that_agree(tmp_path: Path) -> None:
    path = tmp_path / _add(tmp_path, "propio", language="es")
    path.write_text(path.read_text("utf-8").replace("score_disp", "share_disp"), encoding="utf-8")
    plan = _plan(tmp_path, "propio.yaml")
    assert [one.facts.id for one in plan.carriers] == [f"{kind}-carriers-es" for kind in CLASSES]
    assert len(plan.carriers[0].prompts) == 2 * 44
    toxic = plan.carriers[3].prompts
    assert 2 * 20 <= len(toxic) < 2 * 40
    assert not any("{" in prompt.plain for prompt in toxic)


def test_two_lexicons_for_one_axis_are_refused(tmp_path: Path) -> None:
    own = _add(tmp_path, "own", axis="gender")
    with pytest.raises(UsageError, match="two different lexicons for the axis 'gender'"):
        _plan(tmp_path, own, "hiring-decisions")


@pytest.mark.parametrize("name", ["own", CARRIERS])
def test_two_sets_of_one_id_are_refused(tmp_path: Path, name: str) -> None:
    sets = [f"{folder}/{_add(tmp_path / folder, name)}" for folder in ("one", "two")]
    with pytest.raises(UsageError, match=f"two probe sets with the id '{name}'"):
        _plan(tmp_path, *sets)


def test_a_runs_identity_names_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _plan(tmp_path, _add(tmp_path, "own"))
    identity = plan.identity("model")
    assert [entry["id"] for entry in identity["suite"]["probe_sets"]] == ["own"]
    assert str(tmp_path) not in str(identity)
    monkeypatch.chdir(tmp_path)
    relative = make_plan(AuditConfig(model="scripted:absent", suite="small.yaml"))
    assert relative.identity("model") == identity
    assert replace(plan, seed=1).identity("model") != identity
    write(tmp_path, "own.yaml", PROBES.format(name="own", axis="handedness", language="en") + "\n")
    changed = make_plan(AuditConfig(model="scripted:absent", suite="small.yaml"))
    assert changed.identity("model") != identity


def test_a_suite_limits_the_prompts_of_one_set(tmp_path: Path) -> None:
    limited = "{id: hiring-decisions, limit: 100}"
    whole, part = (
        write(tmp_path, f"{name}.yaml", SUITE.replace("{id: hiring-decisions}", entry))
        for name, entry in (("whole", "{id: hiring-decisions}"), ("part", limited))
    )

    def decisions(suite: Path, limit: int | None = None) -> tuple[Prompt, ...]:
        planned = make_plan(AuditConfig(model="scripted:absent", suite=str(suite), limit=limit))
        assert len(planned.sets[0].prompts) == (84 if limit is None else limit)
        assert planned.sets[2].facts.prompts == len(planned.sets[2].prompts)
        return planned.sets[2].prompts

    everything = load_probe_set("hiring-decisions")
    assert decisions(whole) == fill_probe_set(everything)
    assert decisions(part) == limit_prompts(decisions(whole), 100)
    # Siblings stay together: every group of an axis is asked as often as the others.
    for axis, groups in {"gender": 3, "race": 6, "religion": 6, "age": 3, "disability": 5}.items():
        counts = Counter(one.group for one in decisions(part) if one.axis == axis)
        assert (len(counts), len(set(counts.values()))) == (groups, 1)
    # The smaller of the two limits holds.
    assert decisions(part, limit=20) == limit_prompts(decisions(whole), 20)
    assert decisions(part, limit=84) == limit_prompts(decisions(whole), 84)


def test_a_runs_identity_holds_a_sets_limit_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    names = ("{id: hiring-decisions}", "{id: hiring-decisions, limit: 5000}")
    first, second = (
        make_plan(AuditConfig(model="scripted:absent", suite=str(suite))).identity("model")
        for suite in (
            write(tmp_path, f"{place}.yaml", SUITE.replace(names[0], name))
            for place, name in enumerate(names)
        )
    )
    assert first["sets"] == second["sets"]  # the set has fewer prompts than its limit
    assert [entry.get("limit") for entry in second["suite"]["probe_sets"]] == [None, None, 5000]
    assert not any("limit" in entry for entry in first["suite"]["probe_sets"])
    assert first != second
