"""The demo's phrases in English."""
# ruff: noqa: E501 - a phrase is read best on one line

from zantara_exp.dataset.demo.phrases import Phrases, Topic

# fmt: off
ENGLISH = Phrases(
    names=(
        "James", "Emma", "Oliver", "Sophie", "Liam", "Hannah", "Noah", "Grace", "Ethan", "Lucy",
        "Jack", "Chloe", "Ryan", "Megan", "Thomas", "Zoe", "Daniel", "Ruby", "Connor", "Alice",
    ),
    hello={
        "morning": ("Good morning", "Hi, good morning", "Morning", "Good morning ZANTARA", "Hey, good morning"),
        "day": ("Hello", "Hi there", "Hey ZANTARA", "Hi", "Good afternoon", "Hello everyone"),
        "evening": ("Good evening", "Hi, good evening", "Good evening ZANTARA", "Hey, good evening", "Evening"),
    },
    welcome={
        "morning": "Good morning and welcome! The sun is already up over Bali.",
        "day": "Hello, lovely to hear from you! The day goes slowly here in Bali.",
        "evening": "Good evening and welcome! The first lights are coming on in Bali.",
    },
    intros=(
        "I'm {name} from {city}", "my name is {name} and I come from {city}", "{name} here, writing from {city}",
        "this is {name} from {city}", "I am {name}, {city} born", "it's {name}, from {city}",
        "I'm {name} and I live in {city}", "you are talking to {name} from {city}",
    ),
    greeting_ends=(
        "how are you today?", "nice to meet you!", "are you there?", "how is it going?", "all good?", "just saying hello!",
        "how are you all?", "hope you are well", "here I am!", "have a good day", "happy to be here", "warm wishes",
    ),
    towns={
        "London": "After London the rain here will feel warm, and it never stays long.",
        "Sydney": "From Sydney you bring your board, and the waves are waiting.",
        "Dublin": "In Dublin you have stories, here every temple has one.",
        "New York": "Coming from New York you will find mornings without a siren.",
        "Toronto": "Toronto has winter, Bali has two kinds of summer.",
        "Melbourne": "If you know coffee from Melbourne, try ours from Kintamani.",
        "Singapore": "Singapore runs on time, here we run on smiles.",
        "Cape Town": "From Cape Town you know mountains by the sea, and ours smoke a little.",
    },
    offer="Tell me what you need and I will gladly help.",
    moods=(
        "Just curious:", "I have some free time today.", "Listen,", "Let me ask you something.", "Tell me,",
        "Let's chat for a minute.", "{name} here with an easy question.", "I'm out with friends.",
        "Long day today.", "On a lighter note,", "I'm a bit bored.", "This is {name}.",
    ),
    casual={
        "food": Topic(
            ("where can I eat well in {area}?", "what should I taste tonight in {area}?",
             "I'm hungry in {area}, what do you suggest?", "which dish should I try in {area}?"),
            "In {area} try babi guling in a family warung, with fresh sambal and white rice.",
        ),
        "weather": Topic(
            ("what is the weather like in {area}?", "does it rain a lot in {area} these days?", "is it hot in {area} now?",
             "how is the climate in {area} this month?"),
            "In {area} the mornings are clear and the rain comes after lunch, for barely an hour.",
        ),
        "sea": Topic(
            ("how is the sea in {area}?", "can I surf in {area}?", "are there waves in {area} today?",
             "where can I swim near {area}?"),
            "The sea near {area} is best at high tide, and early in the morning there are few people.",
        ),
        "homesick": Topic(
            ("I feel a bit lonely here in {area}", "I miss home since I live in {area}",
             "I know nobody in {area} and feel down", "today in {area} I miss my family"),
            "I understand, the first months in {area} are hard for everyone. A coffee with the neighbours helps more than a thousand messages.",
        ),
        "weekend": Topic(
            ("what can I do at the weekend in {area}?", "any idea for Sunday in {area}?",
             "how do I spend Saturday near {area}?", "what is there to see around {area}?"),
            "At the weekend in {area} leave at dawn, visit a temple and stop at the village market.",
        ),
    },
    area_life={
        "Canggu": "In the evening everyone there watches the surfers.",
        "Ubud": "The rice fields there smell of wet earth.",
        "Sanur": "People there walk slowly along the lagoon.",
        "Uluwatu": "The monkeys there steal your glasses.",
        "Seminyak": "The shops there close late.",
        "Amed": "The volcano there is mirrored in the water.",
        "Lovina": "The dolphins there pass at dawn.",
        "Sidemen": "All you hear there is looms and the river.",
    },
    openers=(
        "I need some information.", "A business question:", "I'm {name} from {city}.", "I need your help.",
        "I would like to understand something.", "Sorry to bother you,", "My name is {name}.", "I must decide by Friday.",
        "A friend told me about you.", "I'm preparing the papers.", "Quick question:", "I leave next month.",
    ),
    reasons=(
        "It is for me and my wife.", "I work remotely.", "We move in January.", "It is the first time for us.",
        "My partner wants to be sure.", "I want to do it by the book.", "I have read your site already.",
        "I was told different things.", "I stay for at least a year.", "I don't want to get it wrong.", "There are two of us.",
        "I travel with the children.",
    ),
    thanks=("Many thanks!", "Thanks.", "Thanks in advance.", "Thank you.", "Talk soon!", "Let me know."),
    visa={
        "cost": Topic(
            ("how much is the {code} visa?", "what is the price of the {code} visa?", "what should I budget for the {code} visa?",
             "can you tell me the total cost of the {code}?"),
            "The {code} visa costs {price} million rupiah, official fee included. It is ready in {working_days} working days.",
            ("And how much is it in total?", "Good, and the price?", "What should I budget?"),
        ),
        "stay": Topic(
            ("how long can I stay on the {code} visa?", "for how many days is the {code} visa valid?",
             "can the {code} visa be extended?", "how many extensions does the {code} allow?"),
            "With the {code} visa you stay {stay_days} days and may ask for up to {extensions} extensions, always before it expires.",
            ("And how long can I stay?", "Can it be extended?", "For how many days is it valid?"),
        ),
        "documents": Topic(
            ("which documents do I need for the {code} visa?", "what must I prepare for the {code}?",
             "which papers do you ask for the {code} visa?", "can you list the documents for the {code}?"),
            "For the {code} visa you need a valid passport, a recent photo, an exit ticket and a bank statement. The file is opened online.",
            ("Which documents do I need?", "What must I prepare?", "And the papers to bring?"),
        ),
    },
    nation=Topic(
        ("can I get the visa on arrival with a {nation} passport?", "is the visa on arrival open to a {nation} citizen?",
         "a {nation} friend wants a visa at the airport, is it possible?", "my partner is {nation}: which visa at the airport?"),
        "",
    ),
    nations={
        "British": True, "Australian": True, "Irish": True, "Canadian": True,
        "Nigerian": False, "Pakistani": False, "Iranian": False, "Albanian": False,
    },
    on_arrival={
        True: "With a {nation} passport you can get the B1 visa at the airport: it is valid for thirty days and extended once.",
        False: "With a {nation} passport there is no visa at the airport: better ask for the C1 visa before you leave.",
    },
    rules={
        "capital": Topic(
            ("how much capital does a PT PMA need?", "what is the minimum capital of a PT PMA?",
             "which investment does a PT PMA ask for?", "how much money to open a PT PMA?"),
            "For a PT PMA the declared investment is ten billion rupiah per activity, and the paid-up capital starts at two and a half billion.",
        ),
        "founding": Topic(
            ("how long does it take to open a PT PMA?", "how do I open a PT PMA in Bali?",
             "which steps does it take to set up a foreign company?", "where do I start to found a PT PMA?"),
            "To open a company you reserve the name, sign the deed at the notary and obtain the NIB online: about four weeks in all.",
        ),
        "tax_id": Topic(
            ("how do I get an NPWP number?", "what is the NPWP for?", "do I need the NPWP to work?",
             "where do I ask for the Indonesian tax number NPWP?"),
            "The NPWP is the Indonesian tax number: you ask the tax office for it with passport and KITAS, and it is free.",
        ),
        "residence": Topic(
            ("when do I become a tax resident in Indonesia?", "where do I pay taxes if I live in Bali?",
             "after how many days do I pay tax in Indonesia?", "how does tax residence work?"),
            "After 183 days within twelve months you are a tax resident and declare your worldwide income, with the treaty against double taxation.",
        ),
        "report": Topic(
            ("when is the annual tax return due?", "by when do I file the SPT?",
             "what is the tax deadline for a company?", "how often are taxes reported?"),
            "The annual SPT return is due on 31 March for persons and 30 April for companies; monthly reports go out by the twentieth.",
        ),
        "family": Topic(
            ("can I bring my family on my KITAS?", "can my wife have the family KITAS?",
             "how do I get a KITAS for the children?", "does the KITAS cover relatives too?"),
            "With your KITAS you can ask for the family one for spouse and children: it takes marriage and birth certificates and a sworn translation.",
        ),
    },
    property={
        "lease": Topic(
            ("is a leasehold in {area} a good idea?", "how does a long lease of land in {area} work?",
             "for how many years is a villa in {area} leased?", "I would like land on leasehold in {area}"),
            "In {area} a leasehold usually runs twenty-five years, with the right to renew written into the notary's deed.",
        ),
        "own": Topic(
            ("can a foreigner buy a house in {area}?", "can I own a villa in {area}?",
             "how do I buy property in {area}?", "which title do I need to buy in {area}?"),
            "A foreigner in {area} buys with the right of use Hak Pakai, or through a company; full ownership is for Indonesians.",
        ),
        "rent": Topic(
            ("may I rent my villa in {area} to tourists?", "which licence does a tourist villa in {area} need?",
             "how do I make short rentals in {area} legal?", "what does a rented villa in {area} earn?"),
            "To rent to tourists in {area} you need a company, the accommodation licence and the building permit PBG in a tourism zone.",
        ),
    },
    area_prices={
        "Canggu": "Land there costs 22 million per are and year.",
        "Ubud": "Land there costs 14 million per are and year.",
        "Sanur": "Land there costs 18 million per are and year.",
        "Uluwatu": "Land there costs 16 million per are and year.",
        "Seminyak": "Land there costs 25 million per are and year.",
        "Amed": "Land there costs 6 million per are and year.",
        "Lovina": "Land there costs 5 million per are and year.",
        "Sidemen": "Land there costs 4 million per are and year.",
    },
    contact="Write to us on WhatsApp at +62 812 3456 7890 or info@example.com and visit our office!",
    failure="Sorry, an internal error occurred. Please try again later.",
    padding="It is also important to remember that every case is different and must be looked at carefully together with us.",
    details={
        "email": "My email is {value}.", "phone": "My number is {value}.",
        "passport": "My passport is {value}.", "nik": "My wife's NIK is {value}.",
        "npwp": "My NPWP is {value}.",
    },
)
