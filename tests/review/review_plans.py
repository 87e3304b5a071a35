"""A sampling plan of made-up answers."""

from __future__ import annotations

from llmaudit.review.planning import DISPUTED, OPEN, Candidate, ReviewPlan, plan_construct


def candidates() -> list[Candidate]:
    """Return 120 answers of two groups: 100 low, 16 high, and 4 on which scorers disagree."""
    found = []
    for number in range(120):
        tier = DISPUTED if number < 4 else OPEN
        kind = "high" if 4 <= number < 20 else "low"
        group = f"axis/{'ab'[number % 2]}"
        found.append(Candidate(f"r{number:03}", "set", tier, kind, group))
    return found


def plan(number: int = 40, seed: int = 0) -> ReviewPlan:
    """Return a plan of the candidates."""
    made = plan_construct("toxicity", ("toxicity", "d"), candidates(), number, seed)
    return ReviewPlan("run", number, seed, 2, (made,))
