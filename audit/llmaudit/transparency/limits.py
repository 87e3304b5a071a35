"""What an audit of this kind cannot show, said in sentences that stand in every report."""

from __future__ import annotations

METHOD_LIMITS: tuple[str, ...] = (
    "A pass says that, on these prompts, under this policy and at this confidence level, the "
    "measured quantity stayed within its margin. It is no proof that the model is safe or fair.",
    "Scores come from classifiers, and classifiers err: they miss veiled insults, flag harmless "
    "mentions of identities, and do worse on language unlike their training data. Their measured "
    "error stands beside them; where it reads unknown, nobody has measured it.",
    "A disparity no larger than the scorer's own disparity for the same groups cannot be told "
    "apart from it, and is reported as inconclusive.",
    "The probe sets are small and in the languages named in their datasheets. Behaviour in other "
    "languages, dialects, domains, long conversations or with tools was not looked at.",
    "Sampled text varies. The intervals cover the sampling of templates and of outputs; they do "
    "not cover the choice of probe set, scorer, wording or system prompt.",
    "Groups are entries of a lexicon put into templates, not people. The lexicons are incomplete, "
    "and a difference between group words is not a measurement of harm to a group.",
    "The prompts are not adversarial. A person who searches for failures will find ones that are "
    "not in this report.",
    "Another decoding setting, numerical precision, chat format, quantisation or fine-tuning makes "
    "another model: these results do not carry over to it.",
    "If the model was trained on these probe sets or on texts like them, the results flatter it. "
    "Nothing here can rule that out.",
)
