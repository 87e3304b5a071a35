"""Policy locks: what is in one, and what a run that differs from it is told."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_cases import POLICY, SUITE, small_config, write
from llmaudit.audit import Finished, check_run, run_audit
from llmaudit.errors import InvalidFileError, ScorerError, UnavailableError, UsageError
from llmaudit.locking import (
    PolicyLock,
    default_lock_path,
    find_lock_path,
    load_lock,
    lock_differences,
    lock_plan,
    make_lock,
    refuse_scorer,
    render_lock,
    write_lock,
)
from llmaudit.planning import make_plan
from llmaudit.policies import Policy, policy_digest
from llmaudit.records import content_id
from llmaudit.scorers import scorer_facts_without_loading
from llmaudit.sessions import SessionLock, find_lock, judged_on, refuse_begun_without
from llmaudit.store import Event
from llmaudit.yamlfile import load_yaml, parse_yaml

PROBES = Path(__file__).parents[1] / "probes"


def own_set(folder: Path) -> None:
    """Give the folder's suite a probe set of its own that a test can change."""
    text = (PROBES / "safety" / "harmful-requests.yaml").read_text("utf-8")
    write(folder, "own.yaml", text.replace("id: harmful-requests", "id: own", 1))


def locked_config(folder: Path, **options: Any) -> Any:
    """Return the configuration of a small audit held to the lock that lies in ``folder``."""
    config = small_config(folder, **options)
    lock = folder / "policy.lock"
    if not lock.exists():
        write_lock(lock_plan(make_plan(config)), lock)
    return config.model_copy(update={"locked": lock})


def lock_of(folder: Path) -> PolicyLock:
    """Return the lock of a small audit."""
    return lock_plan(make_plan(small_config(folder)))


def test_a_lock_holds_what_a_run_will_be(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    policy = load_yaml(tmp_path / "policy.yaml", Policy)
    assert lock.policy_digest == policy_digest(policy)
    assert Policy.model_validate(lock.policy) == policy
    assert [(one.id, one.prompts, one.samples) for one in lock.probe_sets] == [
        ("harmful-requests", 84, 2),
        ("benign-lookalikes", 44, 1),
        ("hiring-decisions", 414, 1),
        ("neutral-carriers", lock.probe_sets[3].prompts, 1),
    ]
    digests = {name: scorer_facts_without_loading(name) for name in ("degeneration", "refusal")}
    assert lock.scorers == {name: facts.digest for name, facts in digests.items() if facts}
    content = lock.model_dump(mode="json", exclude={"digest"})
    assert lock.digest == content_id(content)


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    path = write_lock(lock, tmp_path / "a.lock")
    assert load_lock(path) == lock
    assert write_lock(lock, path) == path
    other = lock.model_copy(update={"seed": 9})
    with pytest.raises(UsageError, match="is there already and says something else"):
        write_lock(other, path)
    write_lock(other, path, force=True)
    with pytest.raises(UsageError, match="cannot be written"):
        write_lock(lock, tmp_path / "nowhere" / "a.lock")


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=8)
NUMBERS = st.floats(1e-9, 9.0) | st.integers(0, 10**9)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1), WORDS | NUMBERS | st.booleans()))
def test_whatever_is_in_a_lock_keeps_its_kind(values: dict[str, Any]) -> None:
    lock = PolicyLock.model_validate(
        {
            "format": 1, "digest": "12345678901234e5", "policy_digest": "0" * 16, "seed": 0,
            "scorers": {"a": "12345678901234e5"}, "probe_sets": [], "design": values,
            "suite": {}, "policy": {},
        }
    )  # fmt: skip
    text = render_lock(lock)
    assert parse_yaml(text, Path("a.lock")) == lock.model_dump(mode="json")
    assert '"12345678901234e5"' in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("margin: 0.2", "margin: 0.3", "changed after it was made"),
        ("seed: 0", "seed: 1", "changed after it was made"),
        ("seed: 0", "sed: 0", "did you mean 'seed'?"),
        ("samples: 2", "samples: 20", "changed after it was made"),
    ],
)
def test_a_lock_that_was_edited_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = write_lock(lock_of(tmp_path), tmp_path / "a.lock")
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InvalidFileError, match=said) as caught:
        load_lock(path)
    assert all(one.line for one in caught.value.problems)


def test_a_lock_without_a_scorers_digest_is_none(tmp_path: Path) -> None:
    plan = make_plan(small_config(tmp_path))
    hollow = make_lock(plan.identity(""), plan.policy, {"refusal": ""})
    with pytest.raises(InvalidFileError, match="changed after it was made"):
        load_lock(write_lock(hollow, tmp_path / "a.lock"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 1}, "seed: the lock has 0, here is 1"),
        ({"samples": 3}, "probe_sets.harmful-requests.samples: the lock has 2, here is 3"),
        ({"temperature": 0.5}, "decoding.temperature: the lock has 1.0, here is 0.5"),
        ({"max_new_tokens": 9}, "decoding.max_new_tokens: the lock has 20, here is 9"),
        ({"limit": 5}, "probe_sets.harmful-requests.prompts: the lock has 84, here is 5"),
        ({"scorers": ("detoxify",)}, "scorers.detoxify: the lock has none, here is 'known only"),
        ({"until_settled": True}, "design.rounds: the lock has none, here is an entry"),
    ],
)
def test_options_that_differ_are_named(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    locked_config(tmp_path)
    with pytest.raises(UsageError) as caught:
        run_audit(locked_config(tmp_path, **options))
    assert said in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("policy", "margin: 0.2", "margin: 0.3",
         "policy.checks.compliance.margin: the lock has 0.2, here is 0.3"),
        ("policy", "why: A test.", "why: Another test.",
         "policy.checks.compliance.why: the lock has 'A test.', here is 'Another test.'"),
        ("policy", "checks:", "alpha: 0.1\nchecks:", "policy.alpha: the lock has 0.05, here"),
        ("policy", "checks:",
         "waivers: [{check: compliance, owner: A, reason: B, expires: 2999-01-01}]\nchecks:",
         "policy.waivers: the lock has none, here is"),
        ("policy", "id: hiring-gender", "id: hiring", "policy.checks.hiring: the lock has none"),
        ("small", "[refusal, degeneration]", "[refusal]", "scorers.degeneration: the lock has '"),
        ("small", "[refusal, degeneration]", "[degeneration, refusal]", "suite.scorers: the lock"),
        ("small", "  - {id: hiring-decisions}\n", "", "probe_sets.hiring-decisions: the lock has"),
        ("own", "", "", "probe_sets.own.digest: the lock has '"),
    ],
)  # fmt: skip
def test_files_that_differ_are_named(
    tmp_path: Path, file: str, old: str, new: str, said: str
) -> None:
    own_set(tmp_path)
    suite = SUITE.replace("  - {id: hiring", "  - {id: own.yaml}\n  - {id: hiring")
    texts = {"policy": POLICY, "small": suite}

    def config() -> Any:
        made = small_config(tmp_path)
        for name, text in texts.items():
            write(tmp_path, f"{name}.yaml", text)
        return made

    lock = write_lock(lock_plan(make_plan(config())), tmp_path / "policy.lock")
    if file == "own":
        own = tmp_path / "own.yaml"
        text = own.read_text("utf-8")
        own.write_text(text.replace("version: 1", "version: 2", 1), encoding="utf-8")
    else:
        assert old in texts[file]
        texts[file] = texts[file].replace(old, new, 1)
    with pytest.raises(UsageError) as caught:
        run_audit(config().model_copy(update={"locked": lock}))
    assert said in str(caught.value)
    assert "Give the files and options that were locked." in str(caught.value)


def test_the_order_of_named_entries_counts(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    turned = lock.model_copy(update={"probe_sets": tuple(reversed(lock.probe_sets))})
    assert list(lock_differences(lock, turned)) == ["probe_sets: the order is another"]
    assert list(lock_differences(lock, lock)) == []


def test_a_scorer_is_checked_once_more_when_it_is_loaded(tmp_path: Path) -> None:
    lock = lock_of(tmp_path)
    refuse_scorer(lock, "refusal", lock.scorers["refusal"])
    with pytest.raises(UsageError, match="scorer refusal has the digest ffff"):
        refuse_scorer(lock, "refusal", "f" * 16)
    with pytest.raises(UsageError, match="the lock has none"):
        refuse_scorer(lock, "another", "f" * 16)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """Return the folder and the result of a finished audit that was held to a lock."""
    folder = tmp_path_factory.mktemp("locked")
    return folder, run_audit(locked_config(folder, limit=8))


def test_a_scorer_whose_files_are_missing_cannot_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> Any:
        raise UnavailableError(f"no files of {name}")

    monkeypatch.setattr("llmaudit.locking.load_scorer", refuse)
    plan = make_plan(small_config(tmp_path, scorers=("detoxify",)))
    with pytest.raises(ScorerError, match=r"detoxify cannot be locked.*no files of detoxify"):
        lock_plan(plan)


def test_a_locked_run_says_so(locked: tuple[Path, Finished]) -> None:
    folder, finished = locked
    digest = load_lock(folder / "policy.lock").digest
    assert finished.run.lock == digest
    assert f"{digest}: the thresholds were fixed before." in finished.report.read_text("utf-8")
    results = json.loads((finished.directory / "results.json").read_text("utf-8"))
    assert results["lock"] == digest
    assert check_run(finished.directory, locked=folder / "policy.lock").lock == digest


def test_another_policy_is_not_the_locked_one(locked: tuple[Path, Finished]) -> None:
    folder, finished = locked
    laxer = write(folder, "laxer.yaml", POLICY.replace("margin: 0.2", "margin: 0.4"))
    policy = load_yaml(laxer, Policy)
    assert check_run(finished.directory, policy=policy).lock is None
    with pytest.raises(UsageError, match=r"compliance\.margin: the lock has 0\.2, here is 0\.4"):
        check_run(finished.directory, policy=policy, locked=folder / "policy.lock")


def test_a_run_of_other_samples_is_not_what_a_lock_says(
    locked: tuple[Path, Finished], tmp_path: Path
) -> None:
    other = small_config(tmp_path, samples=3, seed=5)
    lock = write_lock(lock_plan(make_plan(other)), tmp_path / "policy.lock")
    with pytest.raises(UsageError) as caught:
        check_run(locked[1].directory, locked=lock)
    assert "seed: the lock has 5, here is 0" in str(caught.value)
    assert "probe_sets.harmful-requests.samples: the lock has 3, here is 2" in str(caught.value)
    assert "probe_sets.harmful-requests.prompts: the lock has 84, here is 8" in str(caught.value)


def test_a_run_cannot_be_locked_once_it_has_begun(
    locked: tuple[Path, Finished], tmp_path: Path
) -> None:
    changed = POLICY.replace("margin: 0.2", "margin: 0.4")
    config = small_config(tmp_path, limit=8).model_copy(update={"out": locked[1].directory})
    write(tmp_path, "policy.yaml", changed)
    later = write_lock(lock_plan(make_plan(config)), tmp_path / "later.lock")
    with pytest.raises(UsageError, match="was begun without this lock"):
        run_audit(config.model_copy(update={"locked": later}))
    assert check_run(locked[1].directory).lock == locked[1].run.lock


def session(lock: SessionLock | None, **more: Any) -> Event:
    """Return the event of a session that was held to a lock, or to none."""
    stored = None if lock is None else asdict(lock)
    return Event(0, "2026-05-04T23:00:00+00:00", "session", {"lock": stored, **more})


HELD = SessionLock("a" * 16, "b" * 16, {"refusal": "c" * 16})


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], None),
        ([session(HELD)], HELD),
        ([session(HELD), Event(1, "", "complete", {}), session(HELD)], HELD),
        ([session(None)], None),
        ([session(None), session(HELD)], None),
        ([session(HELD), session(None)], None),
        ([session(HELD), session(SessionLock("d" * 16, "b" * 16, {}))], None),
        ([Event(0, "", "session", {})], None),
    ],
)
def test_every_session_must_have_been_held_to_the_lock(
    events: list[Event], found: SessionLock | None
) -> None:
    assert find_lock(events) == found
    allowed = found is not None or not events
    with contextlib.nullcontext() if allowed else pytest.raises(UsageError, match="begun without"):
        refuse_begun_without(HELD, events, Path("run"))


@pytest.mark.parametrize("stored", ["x", {"digest": "a"}, {"digest": "a", "policy": "b"}, [1]])
def test_what_no_run_writes_is_not_taken_for_a_lock(stored: Any) -> None:
    with pytest.raises((KeyError, TypeError)):
        find_lock([Event(0, "", "session", {"lock": stored})])


@pytest.mark.parametrize(
    ("policy", "scorers", "covered"),
    [
        ("b" * 16, {}, True),
        ("b" * 16, {"refusal": "c" * 16}, True),
        ("b" * 16, {"refusal": "d" * 16}, False),
        ("b" * 16, {"refusal": "c" * 16, "added": "e" * 16}, False),
        ("x" * 16, {}, False),
    ],
)
def test_a_lock_covers_its_policy_and_its_scorers(
    policy: str, scorers: dict[str, str], covered: bool
) -> None:
    assert HELD.covers(policy, scorers) is covered


def test_the_day_that_counts_is_that_of_the_last_session() -> None:
    told = session(None, judged_on="2026-05-05")
    assert judged_on([session(None)]) == date(2026, 5, 4)
    assert judged_on([session(None), told, Event(3, "", "complete", {})]) == date(2026, 5, 5)
    with pytest.raises(ValueError, match="isoformat"):
        judged_on([session(None, judged_on="soon")])


def test_where_a_lock_lies() -> None:
    assert default_lock_path("a/b.yml") == Path("a/b.lock")
    assert default_lock_path("strict") == Path("strict.lock")
    assert find_lock_path(None, "strict") is None
    assert find_lock_path("x.lock", None) == Path("x.lock")
    assert find_lock_path("", "strict") == Path("strict.lock")
    with pytest.raises(UsageError, match="needs --policy"):
        find_lock_path("", None)
