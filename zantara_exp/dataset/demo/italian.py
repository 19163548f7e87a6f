"""The demo's phrases in Italian."""
# ruff: noqa: E501 - a phrase is read best on one line

from zantara_exp.dataset.demo.phrases import Phrases, Topic

# fmt: off
ITALIAN = Phrases(
    names=(
        "Marco", "Giulia", "Luca", "Francesca", "Matteo", "Chiara", "Davide", "Elena", "Simone", "Paola",
        "Andrea", "Martina", "Stefano", "Laura", "Riccardo", "Silvia", "Fabio", "Valentina", "Giorgio", "Ilaria",
    ),
    hello={
        "morning": ("Buongiorno", "Ciao, buongiorno", "Buongiorno ZANTARA", "Buongiorno a tutti", "Salve, buongiorno"),
        "day": ("Ciao", "Salve", "Ciao ZANTARA", "Ehi ciao", "Buon pomeriggio", "Ciao ciao"),
        "evening": ("Buonasera", "Ciao, buonasera", "Buonasera ZANTARA", "Salve, buonasera", "Buonasera a voi"),
    },
    welcome={
        "morning": "Buongiorno e benvenuto! Qui a Bali il sole è già alto.",
        "day": "Ciao, che piacere sentirti! Qui a Bali la giornata va piano.",
        "evening": "Buonasera e benvenuto! Qui a Bali si accendono le prime luci.",
    },
    intros=(
        "sono {name} da {city}", "mi chiamo {name} e vengo da {city}", "qui {name}, scrivo da {city}",
        "sono {name}, di {city}", "{name} da {city}", "mi presento, {name} di {city}",
        "sono {name} e abito a {city}", "ti scrive {name}, da {city}",
    ),
    greeting_ends=(
        "come stai oggi?", "piacere di conoscerti!", "ci sei?", "come va?", "tutto bene?", "un saluto a tutti!",
        "come state?", "spero tutto bene", "eccomi qui!", "buona giornata", "felice di essere qui", "un abbraccio",
    ),
    towns={
        "Milano": "Da Milano ti sembrerà tutto più lento, e presto ti piacerà.",
        "Roma": "Chi arriva da Roma trova qui altri templi e lo stesso sole.",
        "Napoli": "Da Napoli porti il mare nel cuore, e qui ne trovi un altro.",
        "Torino": "A Torino le montagne, qui i vulcani: ti sentirai a casa.",
        "Bologna": "Da Bologna conosci la buona tavola, e qui ti aspetta il nasi campur.",
        "Firenze": "Firenze ha le sue botteghe, Ubud ha i suoi intagliatori.",
        "Palermo": "Da Palermo il caldo non ti farà paura.",
        "Verona": "A Verona l'arena, qui le danze al tramonto.",
    },
    offer="Raccontami di cosa hai bisogno e ti aiuto volentieri.",
    moods=(
        "Una curiosità:", "Oggi ho un po' di tempo libero.", "Senti,", "Volevo chiederti una cosa.", "Dimmi un po',",
        "Chiacchieriamo un attimo.", "Sono {name}, ho una domanda leggera.", "Sono in giro con amici.",
        "Giornata lunga oggi.", "Per parlare d'altro,", "Mi annoio un po'.", "Qui {name}.",
    ),
    casual={
        "food": Topic(
            ("dove si mangia bene a {area}?", "cosa assaggio stasera a {area}?", "ho fame e sono a {area}, cosa mi consigli?",
             "qual è il piatto da provare a {area}?"),
            "A {area} prova il babi guling in un warung di famiglia, con sambal fresco e riso bianco.",
        ),
        "weather": Topic(
            ("che tempo fa a {area}?", "piove molto a {area} in questi giorni?", "fa caldo a {area} adesso?",
             "com'è il clima a {area} questo mese?"),
            "A {area} le mattine sono limpide e la pioggia arriva dopo pranzo, per un'ora appena.",
        ),
        "sea": Topic(
            ("com'è il mare a {area}?", "si può fare surf a {area}?", "ci sono onde a {area} oggi?",
             "dove faccio il bagno vicino a {area}?"),
            "Il mare vicino a {area} è migliore con l'alta marea, e la mattina presto c'è poca gente.",
        ),
        "homesick": Topic(
            ("mi sento un po' solo qui a {area}", "mi manca casa da quando vivo a {area}",
             "a {area} non conosco nessuno e sono giù", "oggi a {area} ho nostalgia della famiglia"),
            "Capisco, i primi mesi a {area} pesano a tutti. Un caffè con i vicini aiuta più di mille messaggi.",
        ),
        "weekend": Topic(
            ("cosa faccio nel fine settimana a {area}?", "hai un'idea per domenica a {area}?",
             "come passo il sabato vicino a {area}?", "cosa c'è da vedere intorno a {area}?"),
            "Nel fine settimana a {area} parti all'alba, visita un tempio e fermati al mercato del villaggio.",
        ),
    },
    area_life={
        "Canggu": "Lì la sera tutti guardano i surfisti.",
        "Ubud": "Lì le risaie profumano di terra bagnata.",
        "Sanur": "Lì si cammina piano lungo la laguna.",
        "Uluwatu": "Lì le scimmie rubano gli occhiali.",
        "Seminyak": "Lì i negozi chiudono tardi.",
        "Amed": "Lì il vulcano si specchia nell'acqua.",
        "Lovina": "Lì i delfini passano all'alba.",
        "Sidemen": "Lì si sentono solo i telai e il fiume.",
    },
    openers=(
        "Ho bisogno di un'informazione.", "Una domanda di lavoro:", "Sono {name} di {city}.", "Mi serve il vostro aiuto.",
        "Vorrei capire meglio una cosa.", "Scusate il disturbo,", "Mi chiamo {name}.", "Devo decidere entro venerdì.",
        "Un amico mi ha parlato di voi.", "Sto preparando i documenti.", "Domanda veloce:", "Parto il mese prossimo.",
    ),
    reasons=(
        "È per me e mia moglie.", "Lavoro da remoto.", "Ci trasferiamo a gennaio.", "È la prima volta per noi.",
        "Il mio socio chiede conferma.", "Voglio fare tutto in regola.", "Ho già letto il vostro sito.",
        "Mi hanno detto cose diverse.", "Resto almeno un anno.", "Non vorrei sbagliare.", "Siamo in due.",
        "Viaggio con i bambini.",
    ),
    thanks=("Grazie mille!", "Grazie.", "Grazie in anticipo.", "Ti ringrazio.", "A presto!", "Fammi sapere."),
    visa={
        "cost": Topic(
            ("quanto costa il visto {code}?", "qual è il prezzo del visto {code}?", "che spesa devo prevedere per il visto {code}?",
             "mi dite il costo totale del {code}?"),
            "Il visto {code} costa {price} milioni di rupie, tassa ufficiale compresa. È pronto in {working_days} giorni lavorativi.",
            ("E quanto costa in tutto?", "Bene, e il prezzo?", "Che spesa devo prevedere?"),
        ),
        "stay": Topic(
            ("quanto posso restare con il visto {code}?", "per quanti giorni vale il visto {code}?",
             "il visto {code} si può prorogare?", "quante proroghe permette il {code}?"),
            "Con il visto {code} resti {stay_days} giorni e puoi chiedere fino a {extensions} proroghe, sempre prima della scadenza.",
            ("E quanto posso restare?", "Si può prorogare?", "Per quanti giorni vale?"),
        ),
        "documents": Topic(
            ("quali documenti servono per il visto {code}?", "cosa devo preparare per il {code}?",
             "che carte chiedete per il visto {code}?", "mi fai la lista dei documenti per il {code}?"),
            "Per il visto {code} servono passaporto valido, fotografia recente, biglietto di uscita ed estratto conto. La pratica si apre online.",
            ("Quali documenti servono?", "Cosa devo preparare?", "E le carte da portare?"),
        ),
    },
    nation=Topic(
        ("con passaporto {nation} posso avere il visto all'arrivo?", "il visto all'arrivo vale per un cittadino {nation}?",
         "un mio amico {nation} vuole il visto in aeroporto, si può?", "il mio socio è {nation}: che visto prende in aeroporto?"),
        "",
    ),
    nations={
        "italiano": True, "svizzero": True, "argentino": True, "brasiliano": True,
        "nigeriano": False, "pakistano": False, "iraniano": False, "albanese": False,
    },
    on_arrival={
        True: "Con passaporto {nation} puoi fare il visto B1 in aeroporto: vale trenta giorni e si proroga una volta.",
        False: "Con passaporto {nation} il visto in aeroporto non è previsto: conviene chiedere il visto C1 prima di partire.",
    },
    rules={
        "capital": Topic(
            ("quanto capitale serve per una PT PMA?", "qual è il capitale minimo di una PT PMA?",
             "che investimento chiede la PT PMA?", "con quanti soldi apro una PT PMA?"),
            "Per una PT PMA l'investimento dichiarato è di dieci miliardi di rupie per attività, e il capitale versato parte da due miliardi e mezzo.",
        ),
        "founding": Topic(
            ("quanto tempo ci vuole per aprire una PT PMA?", "come si apre una PT PMA a Bali?",
             "quali passi servono per costituire una società straniera?", "da dove comincio per fondare una PT PMA?"),
            "Per aprire una società si prenota il nome, si firma l'atto dal notaio e si ottiene il NIB online: in tutto circa quattro settimane.",
        ),
        "tax_id": Topic(
            ("come ottengo il codice NPWP?", "a cosa serve il NPWP?", "mi serve il NPWP per lavorare?",
             "dove si chiede il codice fiscale indonesiano NPWP?"),
            "Il NPWP è il codice fiscale indonesiano: lo chiedi all'ufficio delle imposte con passaporto e KITAS, ed è gratuito.",
        ),
        "residence": Topic(
            ("quando divento residente fiscale in Indonesia?", "dove pago le tasse se vivo a Bali?",
             "dopo quanti giorni pago le imposte in Indonesia?", "come funziona la residenza fiscale?"),
            "Dopo 183 giorni in dodici mesi sei residente fiscale e dichiari i redditi di tutto il mondo, con la convenzione contro la doppia imposizione.",
        ),
        "report": Topic(
            ("quando scade la dichiarazione dei redditi annuale?", "entro quando si presenta la SPT?",
             "qual è la scadenza delle tasse per una società?", "ogni quanto si dichiarano le imposte?"),
            "La dichiarazione annuale SPT scade il 31 marzo per le persone e il 30 aprile per le società; i rapporti mensili escono entro il giorno venti.",
        ),
        "family": Topic(
            ("posso portare la famiglia con il mio KITAS?", "mia moglie può avere il KITAS familiare?",
             "come ottengo il KITAS per i figli?", "il KITAS vale anche per i familiari?"),
            "Con il tuo KITAS puoi chiedere quello familiare per coniuge e figli: servono atto di matrimonio, atti di nascita e traduzione giurata.",
        ),
    },
    property={
        "lease": Topic(
            ("conviene un leasehold a {area}?", "come funziona l'affitto lungo di un terreno a {area}?",
             "per quanti anni si affitta una villa a {area}?", "vorrei un terreno in leasehold a {area}"),
            "A {area} il leasehold dura di solito venticinque anni, con diritto di rinnovo scritto nell'atto dal notaio.",
        ),
        "own": Topic(
            ("uno straniero può comprare casa a {area}?", "posso avere la proprietà di una villa a {area}?",
             "come compro un immobile a {area}?", "che titolo serve per comprare a {area}?"),
            "Uno straniero a {area} compra con il diritto d'uso Hak Pakai, oppure tramite la sua società; la piena proprietà resta agli indonesiani.",
        ),
        "rent": Topic(
            ("posso affittare ai turisti la mia villa a {area}?", "che licenza serve per una villa turistica a {area}?",
             "come metto in regola gli affitti brevi a {area}?", "quanto rende una villa in affitto a {area}?"),
            "Per affittare ai turisti a {area} servono una società, la licenza di alloggio e il permesso edilizio PBG in zona turistica.",
        ),
    },
    area_prices={
        "Canggu": "Il terreno lì costa 22 milioni per are all'anno.",
        "Ubud": "Il terreno lì costa 14 milioni per are all'anno.",
        "Sanur": "Il terreno lì costa 18 milioni per are all'anno.",
        "Uluwatu": "Il terreno lì costa 16 milioni per are all'anno.",
        "Seminyak": "Il terreno lì costa 25 milioni per are all'anno.",
        "Amed": "Il terreno lì costa 6 milioni per are all'anno.",
        "Lovina": "Il terreno lì costa 5 milioni per are all'anno.",
        "Sidemen": "Il terreno lì costa 4 milioni per are all'anno.",
    },
    contact="Scrivici su WhatsApp al +62 812 3456 7890 o a info@example.com e vieni nel nostro ufficio!",
    failure="Mi dispiace, si è verificato un errore interno. Riprova più tardi.",
    padding="Inoltre è importante ricordare che ogni caso è diverso e va valutato con attenzione insieme a noi.",
    details={
        "email": "La mia email è {value}.", "phone": "Il mio numero è {value}.",
        "passport": "Il mio passaporto è {value}.", "nik": "Il NIK di mia moglie è {value}.",
        "npwp": "Il mio NPWP è {value}.",
    },
)
