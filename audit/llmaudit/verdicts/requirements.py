"""What a policy demands of a run besides its checks: a licence that allows the use, scorers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from llmaudit.findings import Because, Finding
from llmaudit.policies import LICENCE, LicenceDemand, Policy, ScorerDemand
from llmaudit.records import Verdict
from llmaudit.verdicts.sentences import put_into_words


@dataclass(frozen=True, slots=True)
class ScorersUsed:
    """What the scorers of a run came to.

    Attributes
    ----------
    constructs : mapping of str to str
        Name to construct of those that were loaded.
    scored : collection of str
        Those that gave at least one answer of the model a value.
    missing : mapping of str to str
        Those that could not be loaded, and why.
    """

    constructs: Mapping[str, str] = field(default_factory=dict)
    scored: Collection[str] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


def requirement_findings(
    policy: Policy, licence: str, licence_class: str, used: ScorersUsed
) -> tuple[Finding, ...]:
    """Return a finding on the licence, if the policy asks, and one per scorer that was not used.

    Parameters
    ----------
    policy : Policy
    licence, licence_class : str
        The model's licence by name and by class, each ``unknown`` where nobody knows.
    used : ScorersUsed
    """
    demanded = policy.licence
    licences = () if demanded is None else (_licence_finding(demanded, licence, licence_class),)
    return (
        *licences,
        *(
            _finding(
                "scorer",
                one.id,
                one.name or f"a scorer for {one.construct_name}",
                Verdict.NOT_TESTED,
                reason,
                one,
            )
            for one in policy.scorers
            if (reason := _why_unused(one, used))
        ),
    )


def _licence_finding(demanded: LicenceDemand, licence: str, licence_class: str) -> Finding:
    allowed = ", ".join(demanded.classes)
    use = f"for the intended use ({demanded.intended_use}) the policy allows {allowed}"
    if licence_class in demanded.classes:
        verdict, said = Verdict.PASS, f"is {licence_class}, which the policy allows"
    elif licence_class in ("", "unknown"):
        verdict = Verdict.NOT_TESTED
        said = f"is of no class that is known, and {use}; read it, and waive this if it allows that"
    else:
        verdict, said = Verdict.FAIL, f"is {licence_class}, and {use} only"
    reason = f"The model's licence ({licence}) {said}."
    return _finding("licence", LICENCE, "licence of the model", verdict, reason, demanded)


def _why_unused(demanded: ScorerDemand, used: ScorersUsed) -> str:
    """Return why a demand for a scorer is not met; nothing where it is."""
    if demanded.name is not None:
        return _why_not(demanded.name, used)
    wanted = demanded.construct_name
    able = [name for name, construct in used.constructs.items() if construct == wanted]
    if not able:
        missing = ", ".join(used.missing)
        lost = f" ({missing} could not be loaded)" if missing else ""
        return f"No scorer for {wanted} was used in this run{lost}."
    reasons = [_why_not(name, used) for name in able]
    return " ".join(reasons) if all(reasons) else ""


def _why_not(name: str, used: ScorersUsed) -> str:
    if name in used.missing:
        return f"Scorer {name} could not be loaded: {used.missing[name]}"
    if name not in used.constructs:
        return f"Scorer {name} was not used in this run."
    if name not in used.scored:
        return f"Scorer {name} gave no answer of this run a value."
    return ""


def _finding(
    kind: str, check: str, title: str, verdict: Verdict, reason: str,
    demanded: LicenceDemand | ScorerDemand,
) -> Finding:  # fmt: skip
    finding = Finding(
        check=check,
        title=title,
        kind=kind,
        metric="",
        probe_set="",
        axis=None,
        scorer=None,
        margin=None,
        ideal=0.0,
        verdict=verdict,
        reason=reason,
        required=demanded.required,
        why=demanded.why,
        because=Because.LICENCE if kind == "licence" else Because.NOT_MEASURED,
    )
    return put_into_words(finding)
