"""Finding and reading probe sets and lexicons, and everything that is refused in them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from probe_files import (
    LEXICON,
    PROBE_SET,
    with_changes,
    with_template,
    write,
    write_both,
)

from llmaudit import resources
from llmaudit.errors import FileProblem, InvalidFileError, UnknownNameError
from llmaudit.probesets import find_probe_sets, list_probe_sets, load_lexicon, load_probe_set
from llmaudit.records import Task, content_id


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def refuse(path: Path, search: Path | None = None) -> tuple[FileProblem, ...]:
    with pytest.raises(InvalidFileError) as caught:
        load_probe_set(path, search=search)
    assert all(problem.remedy for problem in caught.value.problems)
    return caught.value.problems


def test_a_sound_set_is_loaded_with_its_lexicon(tmp_path: Path) -> None:
    path = write_both(tmp_path, PROBE_SET)
    probe_set = load_probe_set(path)
    assert probe_set.definition.id == "small-set"
    assert probe_set.path == path
    assert [group.id for group in probe_set.lexicons["pet"].groups] == ["cat", "dog", "owl"]
    assert load_probe_set(str(path)) == probe_set


def test_facts_carry_the_datasheet_and_the_lexicons(tmp_path: Path) -> None:
    probe_set = load_probe_set(write_both(tmp_path, PROBE_SET))
    facts = probe_set.facts(9)
    assert (facts.id, facts.templates, facts.prompts) == ("small-set", 2, 9)
    assert (facts.task, facts.construct, facts.axes) == (Task.GENERATE, "disparity", ("pet",))
    assert facts.digest == probe_set.digest
    assert facts.known_limits == ("It is small.",)
    assert facts.datasheet["not_for"] == "Anything else."
    lexicon = facts.datasheet["lexicons"]["pet"]
    assert lexicon["groups"] == {"cat": "cats", "dog": "dogs", "owl": "owls"}
    assert lexicon["digest"] == sha(tmp_path / "pet.en.yaml")
    assert lexicon["reference"] == "dog"
    # The run store keeps facts as JSON.
    assert content_id(facts.datasheet)


def test_the_digest_covers_the_lexicons(tmp_path: Path) -> None:
    path = write_both(tmp_path, PROBE_SET)
    before = load_probe_set(path).digest
    digests = {"probe_set": sha(path), "lexicons": {"pet": sha(tmp_path / "pet.en.yaml")}}
    assert before == content_id(digests)
    write(tmp_path, with_changes(LEXICON, version="1.0.1"), "pet.en")
    assert load_probe_set(path).digest != before


def test_without_axes_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    content = with_template(PROBE_SET, prompt="Hello?")
    path = write(tmp_path, {**content, "axes": [], "metrics": []})
    assert load_probe_set(path).digest == sha(path)


def test_names_mean_shipped_sets_and_the_nearest_is_told() -> None:
    names = list_probe_sets()
    assert names == sorted(names)
    assert len(names) == len(set(names))
    with pytest.raises(UnknownNameError, match="unknown probe set 'hiring-decision'") as caught:
        load_probe_set("hiring-decision")
    assert "path" in str(caught.value)
    with pytest.raises(InvalidFileError, match="no such file"):
        load_probe_set("absent.yaml")
    with pytest.raises(InvalidFileError, match="no such file"):
        load_probe_set("folder/absent")


def test_another_folder_can_be_searched(tmp_path: Path) -> None:
    for folder in ("family", "lexicons", "suites"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "lexicons", LEXICON)
    path = write(tmp_path / "family", PROBE_SET)
    (tmp_path / "suites" / "quick.yaml").write_text("id: quick\n")
    assert find_probe_sets(tmp_path) == {"small-set": path}
    assert load_probe_set("small-set", search=tmp_path).path == path
    with pytest.raises(UnknownNameError, match="did you mean 'small-set'"):
        load_probe_set("smal-set", search=tmp_path)


def test_a_lexicon_beside_the_file_comes_first(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    (shipped / "lexicons").mkdir(parents=True)
    write(shipped / "lexicons", LEXICON)
    path = write(tmp_path, PROBE_SET)
    assert len(load_probe_set(path, search=shipped).lexicons["pet"].groups) == 3
    fewer = with_changes(LEXICON, groups=LEXICON["groups"][:2])
    (tmp_path / "lexicons").mkdir()
    write(tmp_path / "lexicons", fewer)
    assert len(load_probe_set(path, search=shipped).lexicons["pet"].groups) == 2


def test_shipped_lexicons_serve_sets_from_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path, with_changes(PROBE_SET, axes=["gender"]))
    lexicon = load_probe_set(path).lexicons["gender"]
    assert lexicon == load_lexicon(resources.probes_dir() / "lexicons" / "gender.en.yaml")[0]


def test_a_missing_lexicon_is_told_with_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, LEXICON)
    path = write(tmp_path, with_changes(PROBE_SET, axes=["pat"]))
    (problem,) = refuse(path)
    assert (problem.line, problem.key) == (9, "axes[0]")
    assert "no lexicon pat.en.yaml" in problem.problem
    assert problem.remedy.startswith("did you mean 'pet'?")


def test_a_lexicon_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    write(tmp_path, LEXICON)
    for axis in ("../pet", "/etc/passwd", ".."):
        (problem,) = refuse(write(inner, with_changes(PROBE_SET, axes=[axis])))
        assert problem.key == "axes[0]"
        assert "write text that matches" in problem.remedy


def test_faults_of_the_set_and_of_its_lexicon_are_told_together(tmp_path: Path) -> None:
    path = write_both(tmp_path, with_changes(PROBE_SET, metrics=["acore_disparity"]), id="pat.en")
    problems = refuse(path)
    assert {Path(problem.file).name for problem in problems} == {"small-set.yaml", "pet.en.yaml"}
    metric = next(problem for problem in problems if problem.key == "metrics[0]")
    assert "did you mean 'score_disparity'?" in metric.remedy


def groups(**forms: str) -> list[dict[str, Any]]:
    """Return the test lexicon's groups with other forms for the first."""
    first = {**LEXICON["groups"][0], "forms": {**LEXICON["groups"][0]["forms"], **forms}}
    return [first, *LEXICON["groups"][1:]]


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"axis": "pets"}, "id", "id 'pet.en' is not axis.language"),
        ({"reference": "fish"}, "reference", "'fish' is no group of this lexicon"),
        ({"groups": LEXICON["groups"][:1]}, "groups", "1 entries, at least 2"),
        (
            {"groups": [*LEXICON["groups"], {**LEXICON["groups"][0], "label": "x"}]},
            "groups[3].id",
            "'cat' is already that of groups[0]",
        ),
        ({"groups": groups(noun="owl")}, "groups[2].forms.noun", "also the noun of group 'cat'"),
        ({"groups": groups(extra="x")}, "groups[1].forms", "form 'extra' is missing"),
        (
            {"groups": [*LEXICON["groups"][:2], {**groups(a="b")[0], "id": "x", "label": "x"}]},
            "groups[2].forms.a",
            "'a' is not a form of the first group",
        ),
        ({"known_limits": []}, "known_limits", ""),
    ],
)
def test_faults_of_a_lexicon(tmp_path: Path, changes: dict[str, Any], key: str, said: str) -> None:
    path = write(tmp_path, with_changes(LEXICON, **changes), "pet.en")
    with pytest.raises(InvalidFileError) as caught:
        load_lexicon(path)
    problem = next(each for each in caught.value.problems if each.key == key)
    assert said in problem.problem
    assert problem.remedy


def test_a_form_that_a_group_lacks_is_told(tmp_path: Path) -> None:
    forms = {"noun": "cat", "noun_a": "a cat"}
    changed = [{**LEXICON["groups"][0], "forms": forms}, *LEXICON["groups"][1:]]
    path = write(tmp_path, with_changes(LEXICON, groups=changed))
    with pytest.raises(InvalidFileError, match="form 'plural' is missing") as caught:
        load_lexicon(path)
    assert [problem.key for problem in caught.value.problems] == ["groups[0].forms"]


def test_a_wheel_like_copy_of_the_shipped_folder_works(tmp_path: Path) -> None:
    copy = tmp_path / "probes"
    shutil.copytree(resources.probes_dir(), copy)
    assert list_probe_sets(copy) == list_probe_sets()
