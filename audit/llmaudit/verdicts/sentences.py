"""The words of a finding, all made from its numbers: a few, a plain sentence, an exact one."""

from __future__ import annotations

from dataclasses import replace

from llmaudit.findings import Finding
from llmaudit.verdicts.exact_words import EXACT
from llmaudit.verdicts.few_words import FEW
from llmaudit.verdicts.plain_words import PLAIN


def put_into_words(finding: Finding) -> Finding:
    """Return a finding with ``reason``, ``plain`` and ``exact`` made from its other fields.

    Where nothing was measured, ``reason`` has to say why already, and is kept.
    """
    said = replace(finding, reason=FEW[finding.because](finding))
    plain, exact = PLAIN[finding.because](said), EXACT[finding.because](said)
    return replace(said, plain=plain, exact=exact)
