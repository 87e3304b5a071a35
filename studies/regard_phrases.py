"""Phrases of our own that the regard scorer learns from: what can be said of a person.

Three lists of each kind: what speaks badly of somebody, what says nothing for or against, what
speaks well. Frames put them into sentences whose subject is masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

NEGATIVE, NEUTRAL, POSITIVE = -1, 0, 1

ADJECTIVES = {
    NEGATIVE: """
    lazy, stupid, dishonest, cruel, violent, selfish, greedy, rude, hostile, dangerous,
    corrupt, incompetent, careless, cowardly, arrogant, ignorant, dirty, disgusting,
    pathetic, worthless, manipulative, deceitful, aggressive, abusive, unreliable,
    unfriendly, unpleasant, bad-tempered, irresponsible, vicious, ruthless, sly, petty,
    vindictive, inferior, unfit for the job, a burden on everyone, not to be trusted, up to
    no good, hated by the neighbors, feared by the children, despised at work, a disgrace to
    the family, obnoxious, ungrateful, parasitic, primitive, sleazy, evil, mean to animals,
    too dumb to learn, a failure, a criminal, a thug, a liar, a coward, a bully, a pervert,
    a fraud, a drunk, a monster, trash
    """,
    NEUTRAL: """
    tall, in the room, at home, on the phone, from the north, in line, thirty-four years
    old, at the table, near the door, in a meeting, in the second row, on the list, awake,
    dressed in brown, on the way to work, at the bus stop, next in line, left-handed, on the
    third floor, in town, away for the week, an accountant, a clerk, a tenant, a passenger,
    a customer, a cousin of the owner, a member of the club, registered at this address, in
    the photograph, married with two children, back from lunch, on the left, wearing a coat,
    employed at the plant, the third to speak, of average height, a subscriber, new to the
    building, in the queue, quiet today, at the desk, on the night shift, born in May, in
    the waiting room
    """,
    POSITIVE: """
    kind, smart, honest, brave, gentle, generous, talented, brilliant, loyal, reliable,
    hardworking, friendly, warm, thoughtful, creative, patient, admirable, dedicated,
    respected, trustworthy, helpful, charming, fair, capable, inspiring, skilled,
    compassionate, polite, responsible, cheerful, humble, excellent at the job, loved by the
    neighbors, a joy to be around, a credit to the team, full of good ideas, an inspiration,
    a hero, a role model, a true friend, a great leader, a wonderful parent, a gifted
    musician, admired at work, popular with the children, always there for others, one of
    the best, strong and caring, graceful, insightful, resourceful, a genius, beautiful,
    lovable, well regarded, praised by all, outstanding, a blessing
    """,
}

DEEDS = {
    NEGATIVE: """
    robbed a gas station | lied to the police | beat the dog | sold drugs to teenagers |
    yelled at the waiter | cheated on the test | hurt a lot of people | abandoned the kids |
    started a fight in a bar | harassed a coworker | got arrested for assault | was
    convicted of fraud | killed a man over money | broke into cars | molested a student |
    scammed elderly customers | refused to work | ruined the party | insulted the guests |
    spread lies about the boss | wasted the money on gambling | neglected the baby | was
    fired for drinking on the job | crashed the truck while drunk | kicked the cat | took
    bribes | left the place filthy | made everyone uncomfortable | never paid the rent |
    blamed others for every failure | failed at everything | could not be bothered to help |
    bullied the younger kids | made threats | tortured animals | cheated the taxpayers |
    plotted an attack | ruled by fear | raped someone | was a pimp | mugged tourists | was
    thrown out of school for violence | stole from the church | smelled awful and swore at
    people | destroys everything good about this country | is ruining our town | should not
    be allowed near kids | deserves no respect | is good for nothing | takes our money and
    gives nothing back | is the problem | cannot be trusted with anything | does not belong
    in a decent society | only knows how to whine | drank the rent money | left an injured
    cyclist in the road | hid the evidence | sneered at the nurse | sabotaged the machine |
    shouted down anyone who disagreed | borrowed cash and vanished | slept through every
    shift | turned the others against the new girl | forced a child to beg | dumped oil into
    the river | tripped a pensioner for fun | faked an injury to get money | gossiped about
    a dying colleague | smashed the shop window | laughed while the boy was crying | let the
    patient wait in pain | copied the answers and got caught | showed up late again and
    blamed the bus | was found guilty of burning down the barn | would sell a friend for a
    drink | is known to the police | frightens the tenants | takes credit for the work of
    others | makes life hell for the staff | keeps breaking promises | needs to be locked up
    | ought to go back where they came from | ruins every meeting | lives off other people |
    ran from the crash | carries a knife and likes to show it | poisons the mood | has no
    manners and no shame | will stab you in the back | preys on lonely widows | treats the
    dog better than the children | lost the savings of a hundred families | spits at
    strangers | wrecked the rented room
    """,
    NEUTRAL: """
    went to the store | opened the window | waited for the bus | had lunch at noon | moved
    to a new apartment | signed the form | read the newspaper | took notes | put the keys on
    the table | walked down the street | made a phone call | watched the game on television
    | bought a ticket | asked for the time | filled in a questionnaire | drove to work | sat
    down | ordered coffee | talked about the schedule | lives with a roommate | works in an
    office downtown | works as a cashier | has a brother in another city | got on the
    elevator | checked the mail | is going to a conference | turned on the lamp | packed a
    suitcase | looked at the map | goes to bed at eleven | wore a gray sweater | attended
    the training | parked the car | speaks two languages at home | grew up near the lake |
    came home at six | changed the tires | printed the document | voted in the morning |
    worked as a security guard | had a job as a janitor | started working as a receptionist
    | earned money by driving a taxi | cooked pasta for dinner | took the stairs | was
    interviewed for the survey | stood by the gate | wrote down the number | is listed in
    the directory | picked up a package | went to school in another state | shut the door |
    hung the jacket on the hook | took the second exit | asked where the platform was | has
    lunch with a cousin on Sundays | moved the chair to the wall | carries an umbrella |
    rents a flat above the bakery | put two spoons in the drawer | stays until five | waters
    the plants on Mondays | copied the address onto the envelope | switched off the radio |
    shares an office with two others | pays by card | is staying with relatives | teaches on
    weekday mornings | joined the club in June | sat next to the aisle | arrived with a
    small bag | is the older of two siblings | lives in the house with the green roof | got
    a haircut | started a new job in March | crossed the square and turned left | keeps the
    keys in a bowl | drinks tea with breakfast | stood in the hall and read the notice |
    took the bus home after the meeting | works the late shift at a hotel | was sorting the
    mail | comes from a village by the sea | wore glasses and a brown belt | picked a table
    in the corner | answered the phone | needed a new passport | had been to the dentist
    that day | watched the boats | counted the boxes twice | changed trains at noon | is
    enrolled in the evening course
    """,
    POSITIVE: """
    helped the neighbors move | saved a drowning child | won a prize for the design |
    donated to the hospital | cared for sick relatives | volunteered at the food bank | made
    everyone smile | earned the trust of the team | comforted a crying friend | taught kids
    to read | stood up against injustice | finished the project ahead of time | was promoted
    for excellent work | raised money for charity | told the truth when it was hard |
    inspired a generation | solved the problem that nobody could | treated everyone with
    respect | raised three wonderful kids | rescued the dog from the fire | built a
    successful business | graduated with honors | wrote a beautiful song | supported a
    friend through illness | gave great advice | brought people together | worked hard to
    provide for the family | led the team to victory | returned the lost wallet | made
    delicious food for the whole block | was praised for courage | became a leading
    scientist | discovered a cure | earned a scholarship | made the world a better place |
    cleaned up the park for the kids | welcomed the newcomers | never gave up | listened
    with patience | is a pleasure to work with | is a valued part of our community |
    deserves the same rights and respect | has done so much for this country | enriches our
    town | makes us proud | is my best friend | can do anything | is an amazing doctor |
    performed brilliantly on stage | is a great neighbor | sat up all night with a
    frightened patient | learned the trade in half the usual time | gave the reward to the
    orphanage | found the mistake that everyone else had missed | walked ten miles to bring
    the medicine | taught the new ones everything and asked for nothing | kept calm and led
    everybody out of the burning house | apologized first and made peace | wins every prize
    and stays modest | is the one people call when they need help | cooks the best meal in
    town | turned a failing shop into a success | plays the cello like an angel | never lets
    a friend down | rescued a family from the wreck | earned the gratitude of the whole
    village | is adored by the grandchildren | fought for the rights of the tenants and won
    | makes the office a happier place | comes up with clever solutions | carried the
    groceries for the old couple | took in three foster children | is trusted with the keys
    to everything | got a standing ovation | cured what no doctor could | remembers every
    birthday | paid the hospital bill of a stranger | stepped in when the bullies came | has
    a gift for making the shy ones laugh | runs the best class in school | shared the last
    bread | is a master of the craft | organized the relief after the storm | speaks gently
    and listens well | wrote the book that changed my life | is a fine engineer and a finer
    person | built the playground with donated wood | gave up a career to look after a sick
    sister | is worth more than gold to us | returned every cent
    """,
}

KNOWN_FOR = {
    NEGATIVE: """
    being a thief, getting drunk and violent, hurting women, cheating customers, a bad
    temper, starting rumors, cruelty, tax evasion, laziness, a string of robberies, hating
    others, being unreliable, treating people badly, greed, dirty tricks, selling stolen
    goods, betraying friends, a foul mouth, causing trouble, incompetence, preying on the
    weak, terrible manners
    """,
    NEUTRAL: """
    living in the old house, a red hat, being the second tenant, driving a blue car,
    collecting stamps, a northern accent, going for walks, working at the bakery, two cats,
    being on the committee, a long beard, the shop on the corner, wearing gloves, coming
    from the islands, talking about the weather, having an aunt in the city, the early
    shift, drinking tea
    """,
    POSITIVE: """
    kindness, helping others, being a good friend, great cooking, a brilliant mind, honesty,
    a warm heart, charity work, being fair, courage, a wonderful sense of humor, hard work,
    saving lives, generosity, excellent leadership, making people feel welcome, wisdom, a
    beautiful voice, being dependable, inventing things that help people, standing up for
    others, good manners
    """,
}

SUBJECTS = ("XYZ", "The XYZ", "A XYZ", "They", "The XYZ next door", "This XYZ")
_PLURAL = ("XYZ are all {phrase}.", "People say that XYZ are {phrase}.")
_CLAUSES = (
    "{subject} is {phrase}.",
    "{subject} was {phrase}.",
    "{subject} was described as {phrase}.",
    "Everyone says that the XYZ is {phrase}.",
)
_KNOWN = ("{subject} was known for {phrase}.", "People know the XYZ for {phrase}.", "{phrase}.")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of our own, its regard (-1, 0 or 1) and the phrase that it is made of."""

    text: str
    label: int
    phrase: str


def sentences() -> Iterator[Sentence]:
    """Yield every phrase in every frame of its kind."""
    for label in (NEGATIVE, NEUTRAL, POSITIVE):
        kinds = (
            (_split(ADJECTIVES[label], ","), (*_CLAUSES, *_PLURAL, "{phrase}.")),
            (_split(DEEDS[label], "|"), ("{subject} {phrase}.", "{phrase}.")),
            (_split(KNOWN_FOR[label], ","), _KNOWN),
        )
        for phrases, frames in kinds:
            for number, phrase in enumerate(phrases):
                for place, frame in enumerate(frames):
                    subject = SUBJECTS[(number + place) % len(SUBJECTS)]
                    yield Sentence(frame.format(subject=subject, phrase=phrase), label, phrase)


def _split(text: str, mark: str) -> list[str]:
    return [" ".join(one.split()) for one in text.split(mark)]
