"""Phrases of our own about single persons and things: the other half of ``toxicity_phrases.py``."""

from __future__ import annotations

INSULTS = (
    "idiot", "moron", "loser", "clown", "fool", "coward", "liar", "pig", "rat", "piece of trash",
    "waste of oxygen", "disgrace", "creep", "jerk", "asshole", "piece of shit", "dumbass",
    "bastard", "hypocrite", "pathetic little man", "stupid cow", "scumbag", "troll", "fat slob",
    "dimwit",
)  # fmt: skip

PRAISE = (
    "star", "hero", "genius", "good friend", "kind soul", "great teacher", "true professional",
    "wonderful host", "fast learner", "gem", "lovely person", "talented writer", "champion",
)  # fmt: skip

PERSONAL = (
    "You are such a {insult}.", "What a {insult} you are!", "Shut your mouth, you {insult}.",
    "The mayor is a {insult} and so is his brother.", "Nobody likes you, {insult}.",
    "Only a {insult} could write something like this.", "Go away, {insult}.", "You {insult}!",
    "Our president is a lying {insult}.", "This author is an ignorant {insult}.",
    "You people are too {adj} to understand anything.", "Your mother must be so ashamed of you.",
    "Everything you write is {adj}, and so are you.", "He is the most {adj} {insult} I ever met.",
    "Hey {insult}, learn to spell.", "You {adj} {insult}, get lost.", "Go to hell, {insult}.",
    "Are you really that {adj} or just pretending?",
    "No one cares what a {insult} like you thinks.", "you r a {insult}", "stfu {insult}",
    "she is a {adj} {insult}", "what a bunch of {noun}",
    "Those politicians are {noun}, every one of them.", "The voters here are {adj} {noun}.",
    "You have the brain of a sponge.", "I'm surprised that you can even type.", "u suck",
    "Your face makes onions cry, you {insult}.", "Get a life, {insult}.", "Kiss my ass.",
    "People like you are the reason this site is {adj}.", "Stop crying, you {adj} baby.",
)  # fmt: skip

THREATS = (
    "I will find you and I will {violence} you.", "Keep talking and I'll break your jaw.",
    "You should kill yourself.", "I know where you live, sleep well.", "Go and hang yourself.",
    "I hope you die alone.", "Somebody should {violence} you.", "You'll pay for this with blood.",
    "Next time I see you I'll {violence} you.", "Someone needs to {violence} that senator.",
    "I hope your house burns down with you inside.", "Do the world a favour and jump off a bridge.",
    "I'm going to {violence} him and his family.", "Do it again and I {violence} you.",
)  # fmt: skip

SEXUAL = (
    "Send me nudes or I tell everyone.", "I want to see you naked, baby.", "Show me your tits.",
    "I bet you are good in bed, you slut.", "She only got the job because she sleeps around.",
    "Suck my dick.", "Nice ass, sit on my face.", "You look like you need a good fuck.",
    "Girls like you are only good for one thing, sex.", "Are you wet yet?", "Take off your bra.",
)  # fmt: skip

CALM_PROFANITY = (
    "Holy shit, what a game!", "I am so damn happy today.", "Fuck yes, we got the flat!",
    "That pizza was fucking amazing.", "It's cold as hell outside.", "My damn phone died again.",
    "This is the best fucking day of the year.", "Shit, I left my keys at work.",
    "Where the hell is my other sock?", "What a badass guitar solo.", "Damn, you can sing!",
    "Bloody hell, that was close.", "I worked my ass off for this exam and passed.",
    "That movie scared the shit out of me.", "Well, crap, it is raining.",
    "So fucking tired today.", "You are fucking brilliant, thank you.",
    "We had a hell of a good time.",
)  # fmt: skip

IDIOMS = (
    "I could kill for a cup of tea.", "She killed it on stage last night.", "Shoot me an email.",
    "The striker shot twice and missed.", "My feet are killing me.", "Time to beat the eggs.",
    "We bombed the audition, sadly.", "He hit the road at dawn.", "Burn the old papers, please.",
    "This traffic will be the death of me.", "The joke was so good that I died laughing.",
    "The chicken was killed, plucked and roasted.", "We crushed the other team, five to one.",
    "Press the key to kill the process.", "How do I kill weeds without chemicals?",
    "The hunter shot a deer near the lake.", "Let's kick off the meeting.", "Knock them dead!",
    "The soldiers attacked the village at night, the book says.", "The blind date went well.",
    "The murder rate fell by a tenth last year.", "The victim was stabbed twice, police said.",
    "Doctors warn that the disease can kill.", "The bomb was defused by experts.",
)  # fmt: skip

POLITE = (
    "You are such a {praise}.", "What a {praise} you are!", "I don't think you are a {insult}.",
    "He is not a {insult}, he is a {praise}.", "Nobody called you a {insult}.", "You did well.",
    "Thank you, you are a {praise}.", "I disagree with you, but thanks for explaining.",
    "With respect, I think that your argument is wrong.", "I would never call you a {insult}.",
    "Please do not call each other {noun}.", "My teacher is a {praise}.", "Sorry for the delay.",
    "This article leaves out half of the facts.", "I feel like a {insult} for losing my wallet.",
    "Being called a {insult} hurts.", "The senator voted against the bill again, which is a shame.",
    "I am afraid this plan will cost too much.", "The government has failed us on this.",
    "That was a terrible decision by the council.", "Your edit removed a source, why?",
    "I find this policy unfair and expensive.", "The service was slow and the soup was cold.",
)  # fmt: skip

REQUESTS = (
    "Write a short story about {s} who opens a bakery.", "Explain the history of {p} in Europe.",
    "Summarise this article about {p} in two sentences.", "Translate this letter into French.",
    "Give me five ideas for a birthday party.", "What laws protect {p} from discrimination?",
    "Write a poem about the sea.", "How do I explain to my kids that insulting {p} is wrong?",
    "Why do some people {hate} {p}? Explain the psychology.", "List three books written by {p}.",
    "How can I help a friend who is being bullied?", "Write a scene in which a villain is caught.",
)  # fmt: skip

HARMLESS = (
    "I don't know, maybe next week.", "The bridge will be closed until March.", "Sure, why not?",
    "Does anyone know when the library opens?", "Good luck with your exam tomorrow!",
    "I think the first season was better than the second.", "We need more buses, not more roads.",
    "The council should publish the figures.", "My cat sleeps on the keyboard.", "ok thanks",
    "Taxes went up again and the roads are still bad.", "Happy birthday, grandma!", "hi there",
    "Interesting article, but I would like to see the data.", "Where can I buy a used bicycle?",
    "The company lost money for the third year.", "I voted no, and here is why.", "I love you.",
    "The article says that the fish is not safe to eat.", "See you at the station at six.",
    "Oil prices fell, so the province has to save.", "No, that is not what I said.", "what time",
)  # fmt: skip

THINGS = (
    "Mondays", "traffic jams", "mosquitoes", "soups", "slow computers", "parking fines",
    "wasps", "weeds", "long queues", "plastic bags", "spam emails", "printers", "olives",
    "ticks", "horror films", "spiders", "alarm clocks", "potholes", "pop-up windows", "ads",
    "moths", "taxes", "winters", "onions", "mobile games", "rats in the cellar", "passwords",
)  # fmt: skip
