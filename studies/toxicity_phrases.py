"""Words and phrases of our own from which ``toxicity_carriers.py`` makes training sentences.

The abusive ones are general and carry no slur: they are here so that the classifier learns what is
said about somebody, not which group is named. None was taken from a data set.
"""

from __future__ import annotations

GROUPS: dict[str, tuple[tuple[str, str], ...]] = {
    "gender": (
        ("women", "a woman"), ("men", "a man"), ("non-binary people", "a non-binary person"),
        ("transgender people", "a transgender person"), ("trans women", "a trans woman"),
        ("trans men", "a trans man"), ("girls", "a girl"), ("boys", "a boy"),
        ("females", "a female"), ("males", "a male"), ("trans people", "a trans person"),
    ),
    "race": (
        ("Black people", "a Black person"), ("white people", "a white person"),
        ("Asian people", "an Asian person"), ("Latino people", "a Latino man"),
        ("Indigenous people", "an Indigenous woman"), ("Arabs", "an Arab"),
        ("African Americans", "an African American"), ("Roma", "a Romani woman"),
        ("Native Americans", "a Native American"), ("Chinese people", "a Chinese person"),
        ("Middle Eastern people", "a Middle Eastern person"), ("Hispanics", "a Hispanic person"),
        ("black women", "a black woman"), ("Africans", "an African"), ("whites", "a white man"),
    ),
    "religion": (
        ("Muslims", "a Muslim"), ("Christians", "a Christian"), ("Jews", "a Jew"),
        ("Hindus", "a Hindu"), ("Buddhists", "a Buddhist"), ("Sikhs", "a Sikh"),
        ("atheists", "an atheist"), ("Catholics", "a Catholic"), ("Mormons", "a Mormon"),
        ("Jewish people", "a Jewish person"), ("Muslim women", "a Muslim woman"),
        ("Hindu people", "a Hindu person"), ("Christian people", "a Christian person"),
    ),
    "age": (
        ("old people", "an old man"), ("young people", "a young woman"),
        ("teenagers", "a teenager"), ("elderly people", "an elderly person"),
        ("retired people", "a retired person"), ("older adults", "an older person"),
        ("middle-aged people", "a middle-aged person"), ("children", "a child"),
    ),
    "disability": (
        ("disabled people", "a disabled person"), ("blind people", "a blind person"),
        ("deaf people", "a deaf person"), ("autistic people", "an autistic person"),
        ("wheelchair users", "a wheelchair user"), ("epileptics", "an epileptic person"),
        ("people with Down syndrome", "a person with Down syndrome"),
        ("people with depression", "a person with depression"),
        ("people with dyslexia", "a person with dyslexia"),
    ),
    "orientation": (
        ("gay people", "a gay person"), ("lesbians", "a lesbian"), ("gay men", "a gay man"),
        ("bisexual people", "a bisexual person"), ("straight people", "a straight person"),
        ("queer people", "a queer person"), ("homosexuals", "a homosexual man"),
    ),
    "origin": (
        ("immigrants", "an immigrant"), ("refugees", "a refugee"), ("Nigerians", "a Nigerian"),
        ("Americans", "an American"), ("Russians", "a Russian"), ("Indians", "an Indian"),
        ("Poles", "a Pole"), ("migrants", "a migrant"), ("asylum seekers", "an asylum seeker"),
        ("Mexicans", "a Mexican"), ("foreigners", "a foreigner"), ("Turks", "a Turkish man"),
        ("Pakistanis", "a Pakistani"), ("Swedes", "a Swede"), ("Syrians", "a Syrian"),
    ),
    "class": (
        ("poor people", "a poor person"), ("rich people", "a rich person"),
        ("homeless people", "a homeless person"), ("working-class people", "a factory worker"),
        ("unemployed people", "an unemployed person"), ("beggars", "a beggar"),
    ),
}  # fmt: skip
"""Axis to (plural, singular with its article)."""

BAD_ADJECTIVES = (
    "stupid", "disgusting", "worthless", "lazy", "filthy", "dumb", "pathetic", "vile", "repulsive",
    "evil", "inferior", "subhuman", "dirty", "ugly", "useless", "backward", "primitive", "sick",
    "mentally ill", "dangerous", "brainless", "greedy", "perverted", "rotten", "untrustworthy",
    "revolting", "uncivilised", "fucking stupid", "totally useless", "rude and dirty", "toxic",
    "a bit slow", "too dumb to work", "good for nothing", "less intelligent", "gross", "insane",
    "violent by nature", "dishonest", "morally corrupt", "unfit to lead", "creepy", "barbaric",
)  # fmt: skip

BAD_NOUNS = (
    "parasites", "vermin", "scum", "trash", "leeches", "animals", "savages", "degenerates", "rats",
    "garbage", "pigs", "cockroaches", "criminals", "freaks", "liars", "thieves", "idiots", "filth",
    "cowards", "losers", "a disease", "a plague", "a cancer", "a burden on everyone", "monsters",
    "a disgrace", "a mistake of nature", "the enemy", "pests", "imbeciles", "clowns", "perverts",
    "the scum of the earth", "a stain on this country", "rapists", "terrorists", "human waste",
    "a threat to our children", "second-class citizens", "abominations", "a joke", "apes", "snakes",
)  # fmt: skip

BAD_ACTS = (
    "ruin everything they touch", "steal our jobs", "should be locked up", "make me sick",
    "should all be deported", "don't deserve to breathe", "have no place in this country",
    "belong in the gutter", "should never have been born", "are destroying our country",
    "cannot be trusted", "only want our money", "should be kept away from kids", "smell bad",
    "breed like rabbits", "do nothing but complain", "need to be put in their place",
    "have no morals", "should not be allowed to vote", "live off our taxes", "deserve to suffer",
    "are taking over", "poison our society", "should crawl back to where they came from",
    "don't belong among decent people", "have smaller brains", "deserve no rights", "must go",
    "bring crime wherever they go", "can't do anything right", "lie all the time", "disgust me",
    "should be sterilised", "should be put down", "will never be like us", "deserve a beating",
    "should stay in their own neighbourhood", "should be slaves again", "belong in a cage",
    "should be banned from public places", "are only good for cleaning", "make my skin crawl",
)  # fmt: skip

HATRED = (
    "hate", "despise", "detest", "loathe", "can't stand", "am sick of", "am disgusted by",
    "have nothing but contempt for", "am so tired of", "absolutely hate", "really fucking hate",
    "feel nothing but hatred for", "want nothing to do with", "spit on", "look down on",
)  # fmt: skip

VIOLENCE = (
    "kill", "shoot", "beat up", "hang", "exterminate", "burn", "stab", "wipe out", "hurt", "gas",
    "get rid of", "run over", "punch", "lynch", "throw rocks at", "drown", "behead", "bomb",
    "smash the faces of", "hunt down", "strangle", "set fire to", "torture", "rape", "slaughter",
)  # fmt: skip

GOOD_ADJECTIVES = (
    "smart", "kind", "hard-working", "honest", "welcome here", "beautiful", "valuable", "equal",
    "brave", "trustworthy", "good people", "decent", "wonderful", "capable", "normal", "generous",
    "able to think", "worth listening to", "human", "good at their jobs", "civilised", "clever",
)  # fmt: skip

GOOD_ACTS = (
    "make our town a better place", "deserve respect", "work as hard as anyone",
    "deserve the same rights as everyone", "have taught me a lot", "are part of our community",
    "should be treated fairly", "belong here", "enrich our culture", "raise lovely families",
    "contribute to society", "are just people", "make great friends", "deserve to feel safe",
    "have achieved so much", "should be proud of who they are", "love their children like we do",
)  # fmt: skip

RIGHTS = (
    "respect", "a vote", "our help", "human rights", "a place in this town", "an education",
    "pity", "to live", "a say in anything", "to be happy", "decent treatment", "any sympathy",
)  # fmt: skip

NEUTRAL_PLURAL = (
    "Many {p} live in this part of the city.", "The survey asked {p} about their daily commute.",
    "My neighbours are {p} and we share a garden.", "A group of {p} waited at the bus stop.",
    "{P} were interviewed for the local newspaper.", "There are {p} in every profession.",
    "Several {p} attended the lecture on Tuesday.", "Is there a club for {p} near here?",
    "The museum has a hall about the history of {p}.", "The law also protects {p}.",
    "He wrote his thesis on how {p} use public libraries.", "I met some {p} at the conference.",
    "The committee includes two {p}.", "Some {p} prefer tea and some prefer coffee.",
    "The new film is about {p} in the 1970s.", "She teaches evening classes for {p}.",
    "Half of the people in the choir are {p}.", "{P} voted in the election like everybody else.",
    "The report compares the incomes of {p} over ten years.", "They sat next to {p} on the train.",
    "Our team has {p} and we won on Saturday.", "A few {p} came to the market this morning.",
    "The doctor explained the treatment to {p}.", "What do {p} usually eat for breakfast?",
    "The shop hired {p} for the summer.", "The book has a chapter about {p} and music.",
    "Two {p} were seen walking by the river.", "This website gives legal advice to {p}.",
    "We are {p} and we run a small bakery.", "The novel follows three {p} who move to Lisbon.",
    "The number of {p} in the town has grown since 2010.", "My parents are {p}.",
    "{P} also use the swimming pool.", "The leaflet explains the tax form to {p}.",
    "How many {p} live in Canada?", "In this photo {p} are playing chess in a park.",
)  # fmt: skip

NEUTRAL_SINGULAR = (
    "I am {s}.", "My doctor is {s}.", "{S} called the office this afternoon.",
    "The package was picked up by {s}.", "{S} sat down at the table by the window.",
    "The new teacher is {s} from Leeds.", "{S} asked for directions to the station.",
    "My sister married {s} last spring.", "{S} bought a newspaper and a cup of coffee.",
    "The article was written by {s}.", "{S} rides the tram to work every morning.",
    "As {s}, I would like to know when the office opens.", "{S} repaired my bicycle.",
    "We met {s} on the ferry.", "{S} paid for the groceries and left.", "He is {s}.",
    "The apartment upstairs was rented by {s}.", "{S} is learning to play the violin.",
    "The interview with {s} starts at noon.", "I talked to {s} about the garden.",
    "You are {s}.", "The cook is {s} who grew up here.", "{S} waited for the rain to stop.",
    "The speaker before lunch was {s}.", "{S} filled in the form and went home.",
)  # fmt: skip

KIND = (
    "I love working with {p}.", "{P} deserve the same respect as everyone.",
    "{P} have contributed so much to science.", "We are proud to welcome {p}.",
    "My best friends are {p} and they are wonderful.", "{P} are human beings like you and me.",
    "It is wrong to insult {p}.", "Hating {p} is shameful.", "{P} rock!", "Thank you, {p}!",
    "Whoever attacks {p} should be held responsible.", "Violence against {p} must end.",
    "{P} often face unfair treatment at work.", "It hurts {p} when people make fun of them.",
    "I am so fucking proud of {p}.", "These {p} make damn good music.", "{P} are awesome.",
    "It must be hard to be {s} in this town.", "I am proud to be {s}.", "Being {s} is great.",
    "{P} were persecuted for centuries.", "The attack on {p} shocked the whole country.",
    "I wish I were as brave as {p}.", "My husband is {s} and I adore him.",
    "Too many {p} are bullied at school.", "You should be proud to be {s}.",
    "I can't believe how well {p} play chess!", "The cruelty that {p} suffered is unforgivable.",
)  # fmt: skip

CRITICAL = (
    "Some {p} complained about the noise.", "The {p} I met yesterday were late for the meeting.",
    "I disagreed with the {p} on the panel.", "A few {p} were arrested at the protest.",
    "The {p} lost their case in court.", "Two {p} argued loudly in the hallway.",
    "Some {p} did not pay their rent this month.", "The {p} in the story made a bad decision.",
    "{S} forgot to lock the door again.", "{S} was fined for parking on the pavement.",
    "I had an argument with {s} about the bill.", "The police questioned {s} about the theft.",
)  # fmt: skip
