"""Carrier sentences of our own that teach the toxicity scorer that naming a group is not abuse.

Every sentence is filled with every group, so that label and group are independent by construction.
The sentences that measure the identity shift (``measure_scorers.py``, ``probes/calibration``) are
other ones. The abusive carriers are short and general: they exist so that the classifier learns
what is said about a group, not which group is named.
"""

from __future__ import annotations

from collections.abc import Iterator

GROUPS: dict[str, tuple[str, ...]] = {
    "gender": ("women", "men", "non-binary people", "transgender people", "trans women", "girls"),
    "race": (
        "Black people", "white people", "Asian people", "Latino people", "Indigenous people",
        "Arabs", "African Americans", "Native Americans", "Roma", "Chinese people", "Mexicans",
    ),
    "religion": (
        "Muslims", "Christians", "Jews", "Hindus", "Buddhists", "Sikhs", "atheists", "Catholics",
    ),
    "age": ("old people", "young people", "teenagers", "elderly people", "retired people"),
    "disability": (
        "disabled people", "blind people", "deaf people", "autistic people", "wheelchair users",
        "people with Down syndrome", "people with depression",
    ),
    "orientation": ("gay people", "lesbians", "bisexual people", "straight people", "queer people"),
    "origin": ("immigrants", "refugees", "Nigerians", "Americans", "Russians", "Indians", "Poles"),
    "class": ("poor people", "rich people", "homeless people", "working-class people"),
}  # fmt: skip

NEUTRAL = (
    "Many {p} live in this part of the city.", "The survey asked {p} about their daily commute.",
    "My neighbours are {p} and we share a garden.", "A group of {p} waited at the bus stop.",
    "{p} were interviewed for the local newspaper.", "There are {p} in every profession.",
    "Several {p} attended the lecture on Tuesday.",
    "The museum has a hall about the history of {p}.",
    "He wrote his thesis on how {p} use public libraries.", "I met some {p} at the conference.",
    "The committee includes two {p}.", "Some {p} prefer tea and some prefer coffee.",
    "The new film is about {p} in the 1970s.", "She teaches evening classes for {p}.",
    "Half of the people in the choir are {p}.", "{p} voted in the election like everybody else.",
    "The report compares the incomes of {p} over ten years.", "They sat next to {p} on the train.",
    "Our team has {p} and we won on Saturday.", "A few {p} came to the market this morning.",
    "The doctor explained the treatment to {p}.", "What do {p} usually eat for breakfast?",
    "The shop hired {p} for the summer.", "The book has a chapter about {p} and music.",
    "Two {p} were seen walking by the river.", "This website gives legal advice to {p}.",
    "As one of the {p} in my class, I can answer that.", "We are {p} and we run a small bakery.",
    "The novel follows three {p} who move to Lisbon.", "My parents are {p}.",
)  # fmt: skip

KIND = (
    "I love working with {p}.", "{p} deserve the same respect as everyone.",
    "{p} have contributed so much to science.", "We are proud to welcome {p}.",
    "My best friends are {p} and they are wonderful.", "{p} are human beings like you and me.",
    "It is wrong to insult {p}.", "Nobody should hate {p}.", "Hating {p} is shameful.",
    "Stop saying that {p} are bad, it is not true.", "I do not hate {p} at all.",
    "Whoever attacks {p} should be held responsible.", "No one should ever say they despise {p}.",
    "He was fined because he shouted abuse at {p}.", "Violence against {p} must end.",
    "{p} often face unfair treatment at work.", "It hurts {p} when people make fun of them.",
    "I am so fucking proud of {p}.", "These {p} make damn good music.",
    "Saying that {p} are inferior is a lie.", "I can't believe how well {p} play chess!",
)  # fmt: skip

CRITICAL = (
    "Some {p} complained about the noise.", "The {p} I met yesterday were late for the meeting.",
    "I disagreed with the {p} on the panel.", "A few {p} were arrested at the protest.",
    "The {p} lost their case in court.", "Two {p} argued loudly in the hallway.",
    "Some {p} did not pay their rent this month.", "The {p} in the story made a bad decision.",
)  # fmt: skip

ABUSIVE = (
    "How I loathe {p}!", "I really can't stand {p}.", "{p} revolt me.",
    "{p} are the dregs of society.",
    "{p} are all liars and thieves.", "All {p} are stupid.", "{p} are less than human.",
    "{p} are like animals.", "{p} are a plague on this country.", "{p} should be wiped out.",
    "We have to get rid of {p}.", "{p} do not deserve to live.", "Someone should hurt {p}.",
    "{p} should not be allowed to vote.", "{p} don't belong here, send them away.",
    "{p} are inferior to the rest of us.", "{p} are a waste of space.", "Shut up, {p} are filth.",
    "{p} make me want to throw up.", "Why are {p} so dumb and lazy?", "Nobody wants {p} around.",
    "{p} are ruining everything.", "I would never trust {p}, they are all criminals.",
    "If it were up to me, {p} would have no rights.", "{p} deserve to be beaten.",
    "You can't expect {p} to understand anything.", "{p} are fucking disgusting.",
    "Real people are not {p}.", "The world would be better without {p}.", "I wish {p} would die.",
)  # fmt: skip

THINGS = (
    "Mondays", "traffic jams", "mosquitoes", "cold soup", "slow computers", "parking fines",
    "wasps", "weeds", "long queues", "bad coffee", "spam emails", "plastic bags",
)  # fmt: skip


def fill_carriers() -> Iterator[tuple[str, int, str]]:
    """Yield (text, label, group) for every carrier and group, and for things that are nobody."""
    people = [group for groups in GROUPS.values() for group in groups]
    for group in people:
        for carrier in (*NEUTRAL, *KIND, *CRITICAL):
            yield _sentence(carrier, group), 0, group
        for carrier in ABUSIVE:
            yield _sentence(carrier, group), 1, group
    for thing in THINGS:
        for carrier in ABUSIVE[:6]:
            yield _sentence(carrier, thing), 0, thing


def _sentence(carrier: str, group: str) -> str:
    text = carrier.replace("{p}", group)
    return text[0].upper() + text[1:]
