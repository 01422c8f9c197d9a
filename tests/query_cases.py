"""One table for all who answer queries: the evaluator in memory, SQLite and PostgreSQL.

`DOCUMENTS` are archived as they are (with the names that a verdict would give them); each case says which of them the
query finds. Every case has to mean the same everywhere.
"""

from __future__ import annotations

from typing import NamedTuple


class Filed(NamedTuple):
    title: str
    text: str
    entities: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


class Case(NamedTuple):
    query: str
    finds: frozenset[str]


# The 60th word of `long`'s text is "sixtieth": what lead: still sees; "sixtyfirst" it does not.
_FILLER = " ".join(f"word{number}" for number in range(1, 60))

DOCUMENTS: dict[str, Filed] = {
    "treaty": Filed(
        "Moscow and Washington extend New START",
        "The last arms-control pact between the two nuclear powers was extended. Inspectors start work in March.",
        ("New START", "Russia", "United States"),
        ("arms-control",),
    ),
    "carrier": Filed(
        "Carrier leaves for the Gulf",
        "An aircraft carrier and 2,000 U.S. marines were deployed. The crew had trained off Crète for a month.",
        ("United States",),
        ("force-posture",),
    ),
    "budget": Filed(
        "Kabinett billigt Rüstungsetat",
        "Die Bundeswehr erhält 100 Milliarden Euro; die Straße nach Łódź wird für Panzer ausgebaut.",
        ("Bundeswehr", "Germany"),
        ("budgets",),
    ),
    "kyiv": Filed(
        "Київ отримав ракети",
        "Україна отримала зенітні ракети від Німеччини.",
        ("Ukraine", "Germany"),
        ("aid-sales", "missiles"),
    ),
    "bakery": Filed(
        "Start-up opens tenth bakery",
        "O'Brien's bakery deploys robots to knead. Its aircraft-themed cakes carry AT&T advertising in C++ red.",
    ),
    "odd": Filed(
        "Don’t count 1,200 F-16s: “Ми не здамося”",
        "The soldiers' pay rose by 3.5 per cent; a C-130J, another C-130J, flew to İzmir. "
        "Troops, troops everywhere, and not or near them: old guard old guard old.",
        topics=("force-posture",),
    ),
    "long": Filed("A long read", f"{_FILLER} sixtieth sixtyfirst"),
    "empty": Filed("Bulletin", ""),
}


def _case(query: str, *finds: str) -> Case:
    return Case(query, frozenset(finds))


_ALL = frozenset(DOCUMENTS)

CASES: tuple[Case, ...] = (
    # words: case, accents and signs do not matter; a word is a whole word
    _case("carrier", "carrier"),
    _case("CARRIER", "carrier"),
    _case("carr"),
    _case("crete", "carrier"),
    _case("Crète", "carrier"),
    _case("strasse", "budget"),
    _case("lodz", "budget"),
    _case("rustungsetat", "budget"),
    _case("ракети", "kyiv"),
    _case("україна", "kyiv"),
    _case("2,000", "carrier"),
    _case("absent"),
    # two words, AND, OR, NOT, groups
    _case("carrier marines", "carrier"),
    _case("carrier AND marines", "carrier"),
    _case("carrier inspectors"),
    _case("carrier OR inspectors", "carrier", "treaty"),
    _case("start NOT bakery", "treaty"),
    _case("start -bakery", "treaty"),
    _case("start -(bakery OR cakes)", "treaty"),
    _case('start -"tenth bakery"', "treaty"),
    _case("carrier OR start bakery", "carrier", "bakery"),
    _case("(carrier OR start) bakery", "bakery"),
    _case("aircraft NOT (marines OR robots)"),
    _case("NOT NOT carrier", "carrier"),
    _case("NOT the", "budget", "kyiv", "bakery", "long", "empty"),
    _case("carrier AND NOT start", "carrier"),
    _case("and carrier", "carrier"),
    # phrases
    _case('"aircraft carrier"', "carrier"),
    _case('"carrier aircraft"'),
    _case('"arms control"', "treaty"),
    _case("arms-control", "treaty"),
    _case("O'Brien", "bakery"),
    _case("AT&T", "bakery"),
    _case("U.S.", "carrier"),
    _case('"new start"', "treaty"),
    _case('"extend new start the last"'),  # title and text do not run together
    _case("“aircraft carrier”", "carrier"),
    # prefixes
    _case("deploy*", "carrier", "bakery"),
    _case("inspect*", "treaty"),
    _case('"nuclear pow*"', "treaty"),
    _case('"aircraft th*"', "bakery"),
    _case("німеч*", "kyiv"),
    # NEAR: so many words between, either order
    _case("aircraft NEAR/0 carrier", "carrier"),
    _case("carrier NEAR/0 aircraft", "carrier"),
    _case("aircraft NEAR/5 marines"),
    _case("aircraft NEAR/6 marines", "carrier"),
    _case("marines NEAR/6 aircraft", "carrier"),
    _case("aircraft NEAR marines", "carrier"),
    _case('"two nuclear" NEAR/4 extended', "treaty"),
    _case('"two nuclear" NEAR/2 extended', "treaty"),
    _case('"two nuclear" NEAR/1 extended'),
    _case("nuclear NEAR/3 exten*", "treaty"),
    _case("(aircraft OR robots) NEAR/6 (marines OR knead)", "carrier", "bakery"),
    _case("gulf NEAR/5 aircraft"),  # one stands in the title, the other in the text
    # fields
    _case("title:start", "treaty", "bakery"),
    _case("title:inspectors"),
    _case('title:"new start"', "treaty"),
    _case("title:(carrier OR bakery)", "carrier", "bakery"),
    _case("title:(carrier NEAR/3 gulf)", "carrier"),
    _case("title:(start -bakery)", "treaty"),
    _case("title:bulletin", "empty"),
    _case("lead:sixtieth", "long"),
    _case("lead:sixtyfirst"),
    _case("sixtyfirst", "long"),
    _case('lead:"sixtieth sixtyfirst"'),
    _case("lead:(long sixtieth)", "long"),
    _case("NOT lead:sixtyfirst long", "long"),
    # names
    _case('entity:"New START"', "treaty"),
    _case('entity:"new start"', "treaty"),
    _case("entity:germany", "budget", "kyiv"),
    _case("entity:Germany topic:missiles", "kyiv"),
    _case("entity:Germany -topic:missiles", "budget"),
    _case("topic:arms-control", "treaty"),
    _case("topic:nothing"),
    _case('entity:"United States" marines', "carrier"),
    # capitals
    _case("case:START", "treaty"),
    _case("case:Start", "bakery"),
    _case("case:start", "treaty"),
    _case('case:"New START"', "treaty"),
    _case('case:"New Start"'),
    _case("case:Inspect*", "treaty"),
    _case("case:inspect*"),
    _case("title:case:START", "treaty"),
    _case("case:START NEAR/2 extend", "treaty"),
    _case("case:Carrier NEAR/2 aircraft"),
    # NOT within NOT, beside OR, under a field
    _case("NOT (NOT carrier)", "carrier"),
    _case("-(-carrier)", "carrier"),
    _case("NOT (NOT (NOT title:start))", *_ALL - {"treaty", "bakery"}),
    _case("NOT (carrier OR NOT start)", "treaty", "bakery"),
    _case("NOT (carrier NOT marines)", *_ALL),
    _case("carrier NOT (NOT marines)", "carrier"),
    _case("(NOT carrier) OR (NOT start)", *_ALL),
    _case("start (NOT bakery OR NOT treaty)", "treaty", "bakery"),
    _case("-title:start", *_ALL - {"treaty", "bakery"}),
    _case("title:(NOT (start OR carrier))", *_ALL - {"treaty", "bakery", "carrier"}),
    _case("title:(carrier OR NOT start)", *_ALL - {"treaty", "bakery"}),
    _case("lead:(NOT sixtieth)", *_ALL - {"long"}),
    _case("lead:(sixtieth NOT sixtyfirst)", "long"),
    _case("NOT entity:Germany topic:force-posture", "carrier", "odd"),
    # NEAR of phrases and beginnings; no word is both sides of it
    _case('"two nuclear" NEAR/3 "was extended"', "treaty"),
    _case('"was extended" NEAR/1 "two nuclear"', "treaty"),
    _case('"was extended" NEAR/0 "two nuclear"'),
    _case('"arms con*" NEAR/4 "nuclear pow*"', "treaty"),
    _case('extend NEAR/0 "new start"', "treaty"),
    _case("lead:(word59 NEAR/0 sixtieth)", "long"),
    _case("lead:(sixtieth NEAR/0 sixtyfirst)"),
    _case("troops NEAR/0 troops", "odd"),
    _case("carrier NEAR/3 carrier"),
    _case("carr* NEAR/2 carrier"),
    _case("case:Troops NEAR/2 troops", "odd"),
    _case('"old guard" NEAR/3 guard', "odd"),
    _case('title:("new start" NEAR/3 start)'),
    _case('"old guard" NEAR/0 "old guard"', "odd"),
    _case('"old guard" NEAR/0 "guard old"'),
    _case('"old guard" NEAR/1 "guard old"', "odd"),
    _case('guard NOT ("old guard" NEAR/0 "guard old")', "odd"),
    _case('guard NOT ("old guard" NEAR/0 "old guard")'),
    # capitals of phrases, under NOT, of other scripts
    _case('case:"U.S. mar*"', "carrier"),
    _case("case:O'Brien", "bakery"),
    _case("case:o'brien"),
    _case("case:F-16s", "odd"),
    _case("case:f-16s"),
    _case("start NOT case:START", "bakery"),
    _case("NOT (start NOT case:START)", *_ALL - {"bakery"}),
    _case("title:(case:START OR case:Carrier)", "treaty", "carrier"),
    _case("case:Київ", "kyiv"),
    _case("case:київ"),
    _case('case:"Ми не"', "odd"),
    _case('case:"Ми Не"'),
    _case("case:İzmir", "odd"),
    # operators in lower case are words, in quotes too
    _case("troops or iraq"),
    _case('"and not or near"', "odd"),
    _case('"NOT OR NEAR"', "odd"),
    # hyphens, apostrophes, signs, numbers, scripts
    _case("start-up", "bakery"),
    _case("-start-up start", "treaty"),
    _case("title:start-up", "bakery"),
    _case("c-130*", "odd"),
    _case('"C-130J another C-130J"', "odd"),
    _case("don't", "odd"),
    _case("don’t", "odd"),
    _case("soldiers'", "odd"),
    _case("soldier's"),
    _case("C++", "bakery", "odd"),
    _case('"C++ red"', "bakery"),
    _case("3.5", "odd"),
    _case("1,200", "odd"),
    _case("1200"),
    _case("izmir", "odd"),
    _case("НІМЕЧЧИНИ", "kyiv"),
    _case("title:київ", "kyiv"),
    _case("ракети NEAR/2 україна", "kyiv"),
    _case('"зенітні рак*"', "kyiv"),
    # as deep as a query may be, and longer than anybody writes
    _case("NOT " * 50 + "carrier", "carrier"),
    _case("(" * 50 + "carrier" + ")" * 50, "carrier"),
    _case("(carrier AND (robots OR " * 24 + "marines" + "))" * 24, "carrier"),
    _case("(carrier NOT (robots OR " * 12 + "marines" + "))" * 12, "carrier"),
    _case("-(carrier OR " * 25 + "start" + ")" * 25, *_ALL - {"carrier", "treaty", "bakery"}),
    _case("title:(" + "carrier AND (" * 48 + "gulf" + ")" * 49, "carrier"),
    _case(" ".join(["the"] * 300), "treaty", "carrier", "odd"),
    _case(" OR ".join(["crew", "knead"] * 200), "carrier", "bakery"),
    _case("carrier " + " ".join(f"-w{number}" for number in range(200)), "carrier"),
)
