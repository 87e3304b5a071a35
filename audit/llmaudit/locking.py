"""Policy locks: what a run must be, written down before anybody has seen a result.

A lock holds the policy and the suite word for word, the digest of every probe set with its
lexicons, the digest of every scorer, the seed, and how much is sampled and how. The model is not
in it: one lock serves every candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from llmaudit.errors import AuditError, InvalidFileError, ScorerError, UsageError
from llmaudit.planning import Plan
from llmaudit.policies import FilePart, Policy, drop_empty, plain_policy
from llmaudit.records import content_id
from llmaudit.scorer_models import ScorerLoader, uses_model
from llmaudit.scorers import detoxify_options, load_scorer, scorer_facts_without_loading
from llmaudit.yamlfile import read_yaml, validate

SUFFIX = ".lock"
LARGEST_SEED = 10**18 - 1
"""YAML files of ours hold no longer numbers."""

_KNOWN_PARTS = frozenset({"format", "model", "seed", "suite", "sets"})
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_PlannedDigest = Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")]


class LockedSet(FilePart):
    """One probe set: what it is by its digest, how many prompts, and how each is sampled."""

    id: str
    digest: _Digest
    prompts: int
    samples: int
    decoding: dict[str, Any]


class PolicyLock(FilePart):
    """The content of a lock file; ``digest`` is that of everything else in it."""

    format: Literal[1]
    digest: _Digest
    policy_digest: _Digest
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)]
    scorers: dict[str, _PlannedDigest]
    probe_sets: tuple[LockedSet, ...]
    design: dict[str, Any]
    suite: dict[str, Any]
    policy: dict[str, Any]


def default_lock_path(policy: str) -> Path:
    """Return where the lock of a policy lies: beside its file, or here for a shipped one.

    Examples
    --------
    >>> default_lock_path("ours/policy.yaml").as_posix(), default_lock_path("default").as_posix()
    ('ours/policy.lock', 'default.lock')
    """
    path = Path(policy)
    return path.with_suffix(SUFFIX) if path.suffix in {".yaml", ".yml"} else Path(policy + SUFFIX)


def find_lock_path(given: str | None, policy: str | None) -> Path | None:
    """Return the lock that the option ``--locked`` names; empty, it is the policy's own.

    Parameters
    ----------
    given : str or None
        None where the option was not given.
    policy : str or None
        None where no policy was named: then an empty option has nothing to stand beside.

    Raises
    ------
    UsageError
        If neither names a file.
    """
    if given is None or given:
        return Path(given) if given else None
    if policy is None:
        raise UsageError("--locked without a file needs --policy, beside which the lock lies")
    return default_lock_path(policy)


def _known_digest(name: str) -> str:
    """Return a scorer's digest as far as it is known without loading it; else nothing."""
    facts = scorer_facts_without_loading(name)
    return facts.digest if facts else ""


def make_lock(
    identity: Mapping[str, Any], policy: Policy, scorers: Mapping[str, str]
) -> PolicyLock:
    """Return the lock that a run of this identity, policy and scorers would have.

    Parameters
    ----------
    identity : mapping
        As :meth:`llmaudit.planning.Plan.identity` gives it, and as a store holds it.
    policy : Policy
    scorers : mapping of str to str
        Name to digest.
    """
    plain = plain_policy(policy)
    content: dict[str, Any] = {
        "format": 1,
        "policy_digest": content_id(plain),
        "seed": identity["seed"],
        "scorers": dict(sorted(scorers.items())),
        "probe_sets": [
            {
                "id": one["facts"]["id"],
                "digest": one["facts"]["digest"],
                "prompts": one["facts"]["prompts"],
                "samples": one["samples"],
                "decoding": dict(one["decoding"]),
            }
            for one in identity["sets"]
        ],
        "design": {key: value for key, value in identity.items() if key not in _KNOWN_PARTS},
        "suite": drop_empty(identity["suite"]),
        "policy": plain,
    }
    return PolicyLock.model_validate({**content, "digest": content_id(content)})


def render_lock(lock: PolicyLock) -> str:
    """Return the text of a lock file: YAML, the same for the same lock."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Puts texts that look like numbers in quotes: PyYAML reads 12e3 otherwise than we do."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        style = '"' if text[:1] in tuple("0123456789+-.") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    said = (
        "# A policy lock, made by `llmaudit policy lock`. `llmaudit run --locked` refuses a run\n"
        "# that differs from it. Do not edit: make it anew, and keep the old one.\n"
    )
    plain = lock.model_dump(mode="json")
    return said + yaml.dump(plain, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def write_lock(lock: PolicyLock, path: Path, *, force: bool = False) -> Path:
    """Write a lock file and return its path.

    Parameters
    ----------
    lock : PolicyLock
    path : Path
    force : bool
        Whether another lock may be replaced; one that says the same is left as it is.

    Raises
    ------
    UsageError
        If another file is there, or if the file cannot be written.
    """
    text = render_lock(lock)
    try:
        if path.exists() and not force and path.read_text("utf-8", "replace") != text:
            raise UsageError(
                f"{path} is there already and says something else. Keep it and write to another "
                f"file with -o, or replace it with --force."
            )
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def load_lock(path: Path) -> PolicyLock:
    """Read a lock file.

    Raises
    ------
    InvalidFileError
        If it is no lock, or if it was changed after it was made.
    """
    document = read_yaml(path)
    lock = validate(document, PolicyLock)
    content = lock.model_dump(mode="json", exclude={"digest"})
    whole = all(lock.scorers.values()) and content_id(lock.policy) == lock.policy_digest
    if not whole or content_id(content) != lock.digest:
        problem = "the lock does not have this digest: it was changed after it was made"
        remedy = "take the file as `llmaudit policy lock` wrote it, or make a new one"
        raise InvalidFileError([document.problem(("digest",), problem, remedy)])
    return lock


def lock_plan(
    plan: Plan,
    checkpoints: Sequence[str] = (),
    loader: ScorerLoader | None = None,
    *,
    detoxify_dtype: str = "float32",
) -> PolicyLock:
    """Return the lock of a plan; scorers are loaded where only that tells what they are.

    Parameters
    ----------
    plan : Plan
    checkpoints, detoxify_dtype
        See :func:`llmaudit.scorers.detoxify_options`.
    loader : ScorerLoader, optional
        Loads scorers that are models of their own.

    Raises
    ------
    ScorerError
        If such a scorer cannot be loaded.
    """
    given = detoxify_options(plan.scorers, checkpoints, detoxify_dtype)
    named = loader or ScorerLoader()
    digests = {
        name: _known_digest(name) or _loaded_digest(name, given.get(name, {}), named)
        for name in plan.scorers
    }
    return make_lock(plan.identity(""), plan.policy, digests)


def _loaded_digest(name: str, given: Mapping[str, Any], loader: ScorerLoader) -> str:
    """Return the digest of a scorer that has to be loaded for that."""
    try:
        if uses_model(name):
            return loader.load(name).facts.digest
        return load_scorer(name, **given).facts.digest
    except AuditError as error:
        raise ScorerError(
            f"scorer {name} cannot be locked, because only its files tell what it is: {error}"
        ) from error


def hold_plan(plan: Plan, path: Path) -> PolicyLock:
    """Return the lock that a planned run is to be held to, once it is seen to agree.

    A scorer whose digest is known only when it is loaded is left to :func:`refuse_scorer`.

    Raises
    ------
    InvalidFileError
        If the file is no sound lock.
    UsageError
        With everything that differs.
    """
    lock = load_lock(path)
    digests = {name: _known_digest(name) for name in plan.scorers}
    _refuse_unlike(lock, make_lock(plan.identity(""), plan.policy, digests), path)
    return lock


def hold_run(
    identity: Mapping[str, Any], policy: Policy, scorers: Mapping[str, str], path: Path
) -> None:
    """Refuse a stored run, or a policy, that is not what a lock says; see `make_lock`.

    A scorer that could not be loaded, and so measured nothing, has an empty digest.

    Raises
    ------
    InvalidFileError
        If the file is no sound lock.
    UsageError
        With everything that differs.
    """
    _refuse_unlike(load_lock(path), make_lock(identity, policy, scorers), path)


def _refuse_unlike(lock: PolicyLock, found: PolicyLock, path: Path) -> None:
    """Refuse what differs from a lock, naming every difference."""
    differences = list(lock_differences(lock, found))
    if differences:
        listed = "\n".join(f"  {one}" for one in differences)
        raise UsageError(
            f"this is not what {path} locks:\n{listed}\n"
            "Give the files and options that were locked. Or make a new lock before the next run, "
            "keep the old one, and say why."
        )


def refuse_scorer(lock: PolicyLock, name: str, digest: str) -> None:
    """Refuse a scorer that, now loaded, turns out not to be the locked one.

    Raises
    ------
    UsageError
        With both digests.
    """
    if lock.scorers.get(name) != digest:
        raise UsageError(
            f"scorer {name} has the digest {digest}, the lock has "
            f"{lock.scorers.get(name, 'none')}: its files or its version are others than when the "
            f"policy was locked. What the model answered is stored."
        )


def lock_differences(lock: PolicyLock, found: PolicyLock) -> Iterator[str]:
    """Yield in words each thing in which ``found`` differs from the lock."""
    locked, actual = lock.model_dump(mode="json"), found.model_dump(mode="json")
    actual["scorers"] = {
        name: digest or lock.scorers.get(name, "known only when it is loaded")
        for name, digest in found.scorers.items()
    }
    for part in ("seed", "scorers", "probe_sets", "design", "suite", "policy"):
        yield from _differences(part, locked[part], actual[part])


def _differences(where: str, locked: Any, found: Any) -> Iterator[str]:
    """Yield the places in which two plain values differ; entries of lists are told by their ids."""
    if isinstance(locked, Sequence) and isinstance(found, Sequence):
        named = _by_name(locked), _by_name(found)
        if named[0] and named[1] and list(named[0]) != list(named[1]):
            common = [name for name in named[0] if name in named[1]]
            if common != [name for name in named[1] if name in named[0]]:
                yield f"{where}: the order is another"
        if named[0] and named[1]:
            locked, found = named
    if isinstance(locked, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys((*locked, *found)):
            place = f"{where}.{key}"
            if key not in found:
                yield f"{place}: the lock has {_show(locked[key])}, here is none"
            elif key not in locked:
                yield f"{place}: the lock has none, here is {_show(found[key])}"
            else:
                yield from _differences(place, locked[key], found[key])
    elif locked != found:
        yield f"{where}: the lock has {_show(locked)}, here is {_show(found)}"


def _by_name(entries: Sequence[Any]) -> dict[str, Any]:
    """Return a list's entries by what names them; nothing where they have no names."""
    if isinstance(entries, str) or not all(isinstance(one, Mapping) for one in entries):
        return {}
    names = [one.get("id") or one.get("check") or one.get("name") or one.get("construct")
             for one in entries]  # fmt: skip
    return dict(zip(map(str, names), entries, strict=True)) if all(names) else {}


def _show(value: Any) -> str:
    """Return a value for a message, long texts cut."""
    if isinstance(value, Mapping):
        return "an entry"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
