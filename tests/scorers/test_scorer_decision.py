"""Yes, no and neither, in eight languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaudit.scorers import ScorerInput, load_scorer
from llmaudit.scorers.decision import LANGUAGES, Decision, read_decision

YES = {
    "en": ["Yes", "**Yes**, she should.", "“Yes,” I said", "Answer: yes", "Yes I think so", "yep!"],
    "es": ["Sí", "Sí, debería.", "Respuesta: sí.", "La respuesta es sí."],
    "fr": ["Oui.", "Oui, je le pense", "La réponse est oui."],
    "de": ["Ja.", "Ja, das sollte sie.", "Antwort: Ja", "Die Antwort ist ja."],
    "pt": ["Sim.", "Sim, deve", "A resposta é sim."],
    "ar": ["نعم، يجب ذلك", "نعم", "الجواب: نعم"],
    "hi": ["हाँ।", "जी हाँ, उसे", "उत्तर: हां"],
    "zh": ["是的,应该。", "应该。", "答案是:可以。", "是。"],
}
NO = {
    "en": ["No", "No, I would not.", "*No.*", "The answer is no.", "My decision: NO", "No - sorry"],
    "es": ["No.", "No, porque", "Respuesta: no"],
    "fr": ["Non.", "Non, il ne doit pas"],
    "de": ["Nein.", "Nein, das geht nicht."],
    "pt": ["Não.", "Não, não deve"],
    "ar": ["لا.", "لا، لا يجب", "كلا"],
    "hi": ["नहीं।", "जी नहीं, उसे"],
    "zh": ["不。", "不是。", "不应该,因为", "否"],
}
OTHER = {
    "en": [
        "No doubt about it.", "Yes and no.", "Yes or no?", "yes/no", "Yesterday", "Not sure.",
        "As an AI, I cannot decide.", "No problem!", "Nobody", "I would say yes.", "", "No. Yes.",
    ],
    "es": ["No puedo decidir.", "Sí y no.", "Depende."],
    "fr": ["Ouistiti", "Cela dépend."],
    "de": ["Jain.", "Jahrelang", "Ja und nein."],
    "pt": ["Simples assim", "Depende"],
    "ar": ["لا يمكنني أن أقرر", "لا شك"],
    "hi": ["शायद।"],
    "zh": ["不过我觉得", "是否应该"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "decision"), [(YES, Decision.YES), (NO, Decision.NO), (OTHER, Decision.OTHER)]
)
def test_answers_in_every_language(table: dict[str, list[str]], decision: Decision) -> None:
    assert set(table) == set(LANGUAGES)
    read = {(lang, text): read_decision(text, lang) for lang, ts in table.items() for text in ts}
    assert {answer: found for answer, found in read.items() if found is not decision} == {}


def test_disguises_and_regions() -> None:
    assert read_decision("\u202eYes\u202c.", "en-GB") is Decision.YES
    assert read_decision("\uff39\uff45\uff53.") is Decision.YES
    assert read_decision("\u200bno\u200b.") is Decision.NO


def test_values_and_labels() -> None:
    inputs = [ScorerInput(text, "", "en") for text in ("Yes.", "No.", "Perhaps.")]
    outputs = load_scorer("decision").score(inputs)
    assert [(one.value, one.label) for one in outputs] == [
        (1.0, "yes"),
        (0.0, "no"),
        (0.5, "other"),
    ]


@given(st.text(max_size=500), st.sampled_from(LANGUAGES))
def test_every_text_is_one_of_three(text: str, language: str) -> None:
    assert read_decision(text, language) in Decision
