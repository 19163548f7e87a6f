"""The report in Italian: phrases, and patterns of sentences. A group of a pattern is translated in its turn."""

from __future__ import annotations

MONTHS = ("gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic")

ONE = {
    "coppie non ancora giudicate contano": "coppia non ancora giudicata conta",
    "coppie non ancora giudicate": "coppia non ancora giudicata",
    "confronti compaiono": "confronto compare",
    "confronti misurati": "confronto misurato",
    "giorni interi": "giorno intero",
    "richieste non hanno": "richiesta non ha",
    "righe illeggibili": "riga illeggibile",
    "utenti hanno inviato": "utente ha inviato",
    "confronti": "confronto",
    "errori": "errore",
    "giorni": "giorno",
    "richieste": "richiesta",
    "utenti": "utente",
}
"""What follows a 1, as the sentences have it, and as it should be."""

PHRASES = {
    # plots and tiles
    "Each criterion against its threshold": "Ogni criterio rispetto alla sua soglia",
    "The plots need scripts; the tables hold their numbers.": (
        "I grafici richiedono gli script; le tabelle ne contengono i numeri."
    ),
    "all sampled requests": "tutte le richieste campionate",
    "all answered requests": "tutte le richieste con risposta",
    "only what would move": "solo ciò che si sposterebbe",
    "This candidate beside the last one": "Questo candidato accanto al precedente",
    "Verdicts so far": "Verdetti finora",
    "time (UTC)": "ora (UTC)",
    # several candidates
    "Candidates side by side": "I candidati a confronto",
    "Candidate against candidate": "Candidato contro candidato",
    "against": "contro",
    "measure": "misura",
    "same requests": "stesse richieste",
    "differ": "diverse",
    "won by the first": "vinte dal primo",
    "not told apart": "non distinguibili",
    # what was found worse
    "What was found worse": "Che cosa è stato giudicato peggiore",
    "Found worse": "Giudicate peggiori",
    "Where it is worse": "Dove è peggiore",
    "Parts that were found on one half of the users, and that the other half confirms; figures are of that half.": (
        "Parti trovate su una metà degli utenti e confermate dall'altra; le cifre sono di quest'ultima."
    ),
    "Which requests may move": "Quali richieste si possono spostare",
    "Quality by the share moved": "Qualità secondo la quota spostata",
    "Share moved against quality, on users not seen before": "Quota spostata e qualità, su utenti mai visti prima",
    "Answered, and as well as by the primary or better, of the requests with the best scores; bars reach down to what "
    "is shown at least, the dashed line is what is declared.": (
        "Con risposta, buona almeno quanto quella del primario, tra le richieste con i punteggi migliori; le barre "
        "scendono fino al minimo dimostrato, la linea tratteggiata è quanto dichiarato."
    ),
    "bill": "spesa",
    "as good": "altrettanto buone",
    "quality": "qualità",
    "by request": "per richiesta",
    "moved": "spostate",
    "certified": "certificata",
    "begins": "inizio",
    "of the traffic": "del traffico",
    "bad": "non buone",
    "bad elsewhere": "non buone altrove",
    "adjusted p": "p corretto",
    "by": "da",
    "worse": "peggiore",
    "equivalent": "equivalente",
    "better": "migliore",
    "cannot judge": "non giudicabile",
    "judge": "giudice",
    "review": "revisione",
    # volume and other models
    "volume": "volume",
    "What is saved at other volumes": "Quanto si risparmia con altri volumi",
    "The same traffic with other models": "Lo stesso traffico con altri modelli",
    "requests a month": "richieste al mese",
    "the candidate's cost": "costo del candidato",
    "model": "modello",
    "provider": "fornitore",
    "a month": "al mese",
    "a thousand": "mille",
    "a quarter": "un quarto",
    "half": "la metà",
    "twice": "il doppio",
    "four times": "il quadruplo",
    "declared": "dichiarate",
    "measured": "misurate",
    "at least": "almeno",
    "at most": "al massimo",
    "break-even": "pareggio",
    "in the log": "nel log",
    "what is paid today": "quanto si paga oggi",
    "The candidate is paid for what it is asked only, and is cheaper at any volume.": (
        "Il candidato si paga solo per ciò che gli si chiede, e costa meno con qualsiasi volume."
    ),
    "The candidate is cheaper at no volume: what a request takes beyond the fee is more than the primary.": (
        "Il candidato non costa meno con nessun volume: oltre al canone una richiesta costa più del primario."
    ),
    # verdict
    "GO": "GO",
    "NO-GO": "NO-GO",
    "INCONCLUSIVE": "NON CONCLUSIVO",
    "pass": "superato",
    "fail": "fallito",
    "undecided": "indeciso",
    "missing": "manca",
    "too thin": "troppo pochi",
    "criterion": "criterio",
    "what was reckoned with": "su che cosa si è contato",
    "is about": "riguarda",
    "the other one": "l'altra",
    "in time": "nel tempo",
    "holds": "vale",
    "would hold": "varrebbe",
    "of requests": "delle richieste",
    "of the average user's requests": "delle richieste di un utente medio",
    "users' means": "medie degli utenti",
    "users, weighed by rho": "utenti, pesati con rho",
    "bursts of failures": "raffiche di errori",
    "from (UTC)": "da (UTC)",
    "for at least": "per almeno",
    "of them failing": "con errori",
    "decision": "decisione",
    "estimate": "stima",
    "bounds": "limiti",
    "go": "go",
    "no-go": "no-go",
    "users": "utenti",
    "why": "perché",
    "segment": "segmento",
    "every criterion passes": "ogni criterio è superato",
    "nothing was measured": "non è stato misurato nulla",
    "Also said of this candidate": "Detto anche di questo candidato",
    "What a start has to answer": "A che cosa un avvio deve rispondere",
    "hash": "hash",
    "verdict": "verdetto",
    "looks": "sguardi",
    "last as of": "ultimo, al",
    "everything": "tutto",
    "it counted in no share or mean": "non ha contato in nessuna quota o media",
    "this gate only watches; gate=go_no_go decides": "questo gate osserva soltanto; decide gate=go_no_go",
    "no day of the log is over yet": "nessun giorno del log è ancora finito",
    "the record of looks was lost once: what was said before cannot be known": (
        "il registro degli sguardi è andato perso: ciò che fu detto prima non si può sapere"
    ),
    "Segments that could end in NO-GO": "Segmenti che potrebbero portare a NO-GO",
    "no chats are labelled by hand, which would show what is moved against domain.moves; run stage=label": (
        "nessuna chat è etichettata a mano, per vedere che cosa si sposta contro domain.moves; esegui stage=label"
    ),
    "no pair has been labelled by a reviewer yet": "nessuna coppia è stata ancora giudicata da un revisore",
    "the looks at this sample began without it": "gli sguardi a questo campione sono iniziati senza",
    "A latency quantile is judged as the share of requests that keep its limit; a failed request does not.": (
        "Un quantile di latenza è giudicato come quota di richieste entro il limite; una richiesta fallita non lo è."
    ),
    # what would move
    "What a rollout would move, and what not": "Che cosa un rollout sposterebbe, e che cosa no",
    "the primary's cost": "costo del primario",
    "of the cost": "del costo",
    "would move": "si sposterebbe",
    "stays with the primary": "resta al primario",
    "not known: the log does not note it": "non si sa: il log non lo annota",
    # columns and titles
    "": "",
    "-": "–",
    "–": "–",
    "day": "giorno",
    "language": "lingua",
    "category": "categoria",
    "primary": "primario",
    "candidate": "candidato",
    "arm": "braccio",
    "week": "settimana",
    "requests": "richieste",
    "success": "successo",
    "timeouts": "scadute",
    "mean": "media",
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
    "similar": "simili",
    "chrF": "chrF",
    "candidate id": "id del candidato",
    "embedding": "embedding",
    "kind": "tipo",
    "share": "quota",
    "reason": "motivo",
    "meaning": "significato",
    "lines": "righe",
    "first": "la prima",
    "what": "cosa",
    "each": "ciascuna",
    "cost": "costo",
    "saved": "risparmio",
    "unknown": "sconosciuta",
    "A/A": "A/A",
    "By language": "Per lingua",
    "By category": "Per categoria",
    "By the model that answered": "Per modello che ha risposto",
    "By candidate and endpoint": "Per candidato ed endpoint",
    "By candidate (only the newest is evidence)": "Per candidato (solo l'ultimo è evidenza)",
    "Noise floor: the primary against itself": "Rumore di fondo: il primario contro sé stesso",
    "Last days": "Ultimi giorni",
    "This week beside the week before": "Questa settimana e la precedente",
    "this week": "questa settimana",
    "the week before": "la precedente",
    "Failures of the candidate": "Errori del candidato",
    "Not measured": "Non misurate",
    "Lines that could not be read (all in quarantine.jsonl)": "Righe illeggibili (tutte in quarantine.jsonl)",
    "Look at this before you believe the numbers": "Da guardare prima di credere ai numeri",
    "was in the log when it was looked at earlier": "era nel log a uno sguardo precedente",
    "sampled, not asked: the day's money is spent": "campionate, non chieste: il denaro del giorno è speso",
    "sampled, then lost by the mirror": "campionate, poi perse dal mirror",
    "stood in the log more than once, counted once": "più volte nel log, contate una volta",
    "of the sampled requests are in the numbers": "delle richieste campionate è nei numeri",
    "coverage": "copertura",
    "primary, requests in the log with a known cost": "primario, richieste nel log con costo noto",
    "primary, a month": "primario, al mese",
    # tiles
    "Success": "Successo",
    "Latency p95": "Latenza p95",
    "Latency mean": "Latenza media",
    "Similar answers": "Risposte simili",
    "Savings": "Risparmio",
    "Users": "Utenti",
    "nothing answered": "nessuna risposta",
    # page
    "Shadow report": "Rapporto shadow",
    "Weekly shadow report": "Rapporto shadow settimanale",
    "beside": "accanto a",
    "What the verdict stands on": "Su cosa poggia il verdetto",
    "Evidence towards GO": "Evidenza verso il GO",
    "0 is none, 1 is enough to pass at this gate's alpha. Evidence adds up and may fall.": (
        "0 è nessuna, 1 basta per superare con l'alfa di questo gate. L'evidenza si accumula e può calare."
    ),
    "Day by day": "Giorno per giorno",
    "95th percentile of latency": "95º percentile della latenza",
    "How long an answer takes": "Quanto impiega una risposta",
    "Bars are 95 % intervals of single days, requests taken as independent: for the eye, not for the verdict. "
    "Latencies are those of answered requests, in milliseconds.": (
        "Le barre sono intervalli al 95 % dei singoli giorni, con richieste indipendenti: per l'occhio, non per il "
        "verdetto. Le latenze sono quelle delle richieste con risposta, in millisecondi."
    ),
    "Where it differs": "Dove cambia",
    "What it costs": "Quanto costa",
    "What went wrong": "Cosa è andato storto",
    "No request failed, no line was unreadable, nothing was dropped.": (
        "Nessuna richiesta fallita, nessuna riga illeggibile, niente di perso."
    ),
    "What people would have read": "Cosa avrebbero letto le persone",
    "Primary": "Primario",
    "Candidate": "Candidato",
    "Where this comes from": "Da dove viene",
    "Nothing was measured.": "Non è stato misurato nulla.",
    "by day, in %": "per giorno, in %",
    "by day, in ms": "per giorno, in ms",
    "evidence by day": "evidenza per giorno",
    "latency in milliseconds, log scale": "latenza in millisecondi, scala logaritmica",
    # terminal and provenance
    "comparisons": "confronti",
    "latency": "latenza",
    "savings": "risparmio",
    "not measured": "non misurate",
    "page": "pagina",
    "log": "log",
    "gate": "gate",
    "pairs": "coppie",
    "run": "esecuzione",
    "version": "versione",
    # smells
    "the candidate may not read the question": "il candidato forse non legge la domanda",
    "a fixed wait, or a cache, is being measured": "si sta misurando un'attesa fissa, o una cache",
    "the scores may not come from the answers": "i punteggi forse non vengono dalle risposte",
    "the candidate may see what the primary said": "il candidato forse vede la risposta del primario",
    "the numbers speak of that user more than of the others": "i numeri parlano di quell'utente più che degli altri",
    "the endpoint may cut its answers off": "l'endpoint forse tronca le risposte",
    "a clock jumped back, or latency was not logged": "un orologio è saltato, o la latenza manca nel log",
    "a rotation or somebody removed them; bring the files back, packed as .gz will do; old days go by stage=forget": (
        "una rotazione o qualcuno li ha rimossi; riporta i file, anche compressi in .gz; i giorni vecchi si tolgono con"
        " stage=forget"
    ),
    "its latency then is not known: stage=shadow primary.arrivals=recorded primary.load_percent=100 measures it": (
        "la sua latenza in quel caso non è nota: la misura stage=shadow primary.arrivals=recorded"
        " primary.load_percent=100"
    ),
    "a writer was started twice, or files were joined": "uno scrittore avviato due volte, o file uniti",
    "days are not drawn alike": "i giorni non sono campionati allo stesso modo",
    "the mirror was off, or its log was lost": "il mirror era spento, o il suo log è andato perso",
    "a clock jumped, or files were joined": "un orologio è saltato, o sono stati uniti dei file",
    "they were sampled by another rule than the log says; no gate says GO on it": "campionati con una regola diversa "
    "da quella nel log; con questo nessun gate dice GO",
    "a part of the sample is missing from the log; no gate says GO on it": "una parte del campione manca dal log; con "
    "questo nessun gate dice GO",
}

SENTENCES = (
    (r"([\d,]+) of ([\d,]+) users seen", "visti {} di {} utenti"),
    (r"([\d,]+) of ([\d,]+) days seen", "visti {} di {} giorni"),
    # the verdict's sentence
    (r"Everything gate (\S+) asks for is shown: (.*)\.", "Tutto ciò che il gate {} chiede è dimostrato: {}."),
    (
        r"Gate (\S+) says stop\. The primary goes on answering\.",
        "Il gate {} dice stop. Il primario continua a rispondere.",
    ),
    (
        r"Gate (\S+) cannot decide yet: (.*?)\. At this rate a decision takes (.*)\.",
        "Il gate {} non può ancora decidere: {}. Di questo passo la decisione richiede {}.",
    ),
    (r"Gate (\S+) cannot decide yet: (.*)\.", "Il gate {} non può ancora decidere: {}."),
    (r"(.*); sample ratio mismatch: (.*)", "{}; il campione non è quello dichiarato: {}"),
    (r"sample ratio mismatch: (.*)", "il campione non è quello dichiarato: {}"),
    (r"([\d,]+) of ([\d,]+) users lie outside of the sampled (\S+ %)", "{} utenti su {} sono fuori dal {} campionato"),
    (
        r"([\d,]+) of ([\d,]+) users lie outside of the sampled (\S+ %); (.*)",
        "{} utenti su {} fuori dal {} campionato; {}",
    ),
    (
        r"([\d,]+) users do not fill the sampled (\S+ %) evenly: ([\d,]+) to ([\d,]+) in a tenth of it, where (\S+) "
        r"are expected \((p .*?)\)(.*)",
        "{} utenti non riempiono in modo uniforme il {} campionato: da {} a {} in un suo decimo, attesi {} ({}){}",
    ),
    (r"no evidence on (.*?); not decided: (.*)", "nessuna evidenza su {}; da decidere: {}"),
    (r"no evidence on (.*)", "nessuna evidenza su {}"),
    (r"not decided: (.*)", "da decidere: {}"),
    (r"every criterion passes; without evidence on (.*)", "ogni criterio è superato; senza evidenza su {}"),
    (r"at least (\d+) more days?", "almeno altri {} giorni"),
    (r"1 more day", "un altro giorno"),
    (r"(\d+) to (\d+) more days", "altri {}-{} giorni"),
    (r"(\d+) more days", "altri {} giorni"),
    (r"(.*) \(((?:at least )?\d+(?: to \d+)? more days?)\)", "{} ({})"),
    # what would move
    (r"would move: (.*)", "si sposterebbe: {}"),
    (r"stays with the primary: (.*)", "resta al primario: {}"),
    (
        r"([\d.]+ %) of ([\d,]+) requests, ([\d.]+ %) of their cost \(not (.*)\)",
        "il {} di {} richieste, il {} del loro costo (restano {})",
    ),
    (r"([\d.]+ %) of ([\d,]+) requests, ([\d.]+ %) of their cost", "il {} di {} richieste, il {} del loro costo"),
    # what a decision adds of its reviewers
    (r"(.*); (\d+ pairs? (?:is|are) disputed, for .* to settle)", "{}; {}"),
    (r"(\d+) pairs? (?:is|are) disputed, for (.*) to settle", "coppie contese: {}, da decidere a cura di {}"),
    (r"(.*); (a NO_GO is certain: .*)", "{}; {}"),
    (
        r"a NO_GO is certain: (\d+) of the first (\d+) pairs are worse, whatever the (\d+) open ones are",
        "un NO_GO è certo: {} delle prime {} coppie sono peggiori, comunque siano le {} aperte",
    ),
    (r"(.*); (the labels of .* do not count: .*)", "{}; {}"),
    (
        r"the labels of (.*) do not count: (\d+) of (\d+) hidden checks wrong, at most (.*) may be",
        "i giudizi di {} non contano: {} verifiche nascoste sbagliate su {}, al massimo {}",
    ),
    (
        r"the labels of (.*) do not count: (\d+) hidden checks answered, (\d+) are asked for",
        "i giudizi di {} non contano: {} verifiche nascoste giudicate, ne servono {}",
    ),
    (
        r"the labels of (.*) do not count: not among review\.reviewers",
        "i giudizi di {} non contano: non è tra review.reviewers",
    ),
    # why a criterion is where it is
    (
        r"([\d.]+ %) of the requests were lost, more than the ([\d.]+ %) allowed",
        "perso il {} delle richieste: più del {} ammesso",
    ),
    (r"([\d,]+) users? in the last (\d+) days?, (\d+) are needed", "{} utenti negli ultimi {} giorni, ne servono {}"),
    (r"([\d,]+) users? in the baseline, at least (\d+) are needed", "{} utenti nel periodo base, ne servono almeno {}"),
    (r"([\d,]+) users?, at least (\d+) are needed", "{} utenti, ne servono almeno {}"),
    (
        r"the last (\d+) days alone do not show it: measured (.*)",
        "gli ultimi {} giorni da soli non lo dimostrano: misurato {}",
    ),
    (r"the last day alone does not show it: measured (.*)", "l'ultimo giorno da solo non lo dimostra: misurato {}"),
    (r"(\d+) days? with evidence, at least (\d+) are needed", "{} giorni con evidenza, ne servono almeno {}"),
    (
        r"(.*); (\d+) of (\d+) at random excludes only more than (.*) % of all",
        "{}; {} su {} a caso esclude solo più del {} % di tutte",
    ),
    (r"no evidence of a (.*) yet", "ancora nessuna evidenza di un giorno: {}"),
    (
        r"the log has ([\d,]+) days?, and the window of (\d+) days asks for as many",
        "il log ha {} giorni, e la finestra di {} giorni ne chiede altrettanti",
    ),
    (
        r"the evidence does not say at what time of day, .*",
        "l'evidenza non dice a che ora, e gate.time_block lo chiede (none, se nulla può fallire tutto insieme)",
    ),
    (r"shown (of .*), but measured (\S+(?: %)?) (of .*): (.*) is needed", "dimostrato {}, ma misurato {} {}: serve {}"),
    (
        r"shown of users weighed, but the mean over requests is (.*): (.*) is needed",
        "dimostrato con gli utenti pesati, ma la media per richiesta è {}: serve {}",
    ),
    (
        r"not refuted, but measured (.*): that is (.*), and neither is shown",
        "non smentito, ma misurato {}: è {}, e nessuno dei due è dimostrato",
    ),
    (r"shown to (?:be|have) (.*?): (.*)", "dimostrato {}: {}"),
    (r"not shown to (?:be|have) (.*?) yet: (.*)", "non ancora dimostrato {}: {}"),
    (r"not refuted: nothing shows (?:a|it) (.*)", "non smentito: nulla mostra che sia {}"),
    (r"in (\S+) shown to be (.*?): measured (.*)", "in {} dimostrato {}: misurato {}"),
    (r"(.*?): (.*) is out of reach unless the candidate changes", "{}: {} è fuori portata se il candidato non cambia"),
    (r"measured (\S+(?: %)?), (at (?:least|most) .*)", "misurato {}, {}"),
    (r"measured (\S+(?: %)?) (of .*?), (at (?:least|most) .*)", "misurato {} {}, {}"),
    (r"at least (.*) of requests keep the limit", "almeno il {} delle richieste rispetta il limite"),
    (r"at most (.*) of requests keep the limit", "al massimo il {} delle richieste rispetta il limite"),
    (
        r"at least (.*) of the average user's requests keep the limit",
        "almeno il {} delle richieste di un utente medio rispetta il limite",
    ),
    (
        r"at most (.*) of the average user's requests keep the limit",
        "al massimo il {} delle richieste di un utente medio rispetta il limite",
    ),
    (r"more than (.*)", "più di {}"),
    (r"(holds|would hold) for outages of up to ([^;]*)(.*)", "{} per interruzioni fino a {}{}"),
    (r"a no-go counts blocks of ([^;]*)(.*)", "un no-go conta blocchi di {}{}"),
    (r"; the longest seen was ([^;]*)(.*)", "; la più lunga vista: {}{}"),
    (r"; none was seen(.*)", "; finora nessuna vista{}"),
    (r"; blocks of ([^;]*?) are not in sight of it", "; blocchi di {}: non in vista"),
    (r"; blocks of ([^;]*?) show it already", "; blocchi di {}: lo mostrano già"),
    (r"; blocks of ([^;]*?) would show it about day (\d+)", "; blocchi di {}: verso il giorno {}"),
    (r"(\d+) days? (.*)", "{} g {}"),
    (r"(\d+) hours? (.*)", "{} h {}"),
    (r"(\d+) hours?", "{} h"),
    (r"(\d+) minutes?", "{} min"),
    (r"at least ([\d.,-]+(?: %)?)", "almeno {}"),
    (r"at most ([\d.,-]+(?: %)?)", "al massimo {}"),
    (r"(p[\d.]+) above (.*)", "{} sopra {}"),
    (r"(p[\d.]+) below (.*)", "{} sotto {}"),
    (r"([<>] .* within [^;]*); no-go (.*)", "{}; no-go {}"),
    (r"([<>] [\d.]+ %) within ([^;]*)", "{} entro {}"),
    (r"above (.*)", "sopra {}"),
    (r"below (.*)", "sotto {}"),
    (r"alarm: users' experience turned (.*)", "allarme: per gli utenti è diventato {}"),
    (r"no alarm: nothing turned (.*)", "nessun allarme: nulla è diventato {}"),
    (r"no review: run (`.*`)", "nessuna revisione: {}"),
    (r"no business metrics source is configured: set (\S+)", "nessuna fonte per le metriche d'impresa: imposta {}"),
    (
        r"(\d+) of (\d+) pairs have not been read for critical bugs yet",
        "{} coppie su {} non ancora lette in cerca di bug critici",
    ),
    (
        r"(.*); with the judge (\d+) labels tell as much as (\d+), (\d+) saved; without it: (.*)",
        "{}; con il giudice {} etichette dicono quanto {}, {} risparmiate; senza: {}",
    ),
    (
        r"(.*); with the judge (\d+) labels tell as much as (\d+); without it: (.*)",
        "{}; con il giudice {} etichette dicono quanto {}; senza: {}",
    ),
    (r"(.*); the judge counts for nothing: (.*)", "{}; il giudice non conta: {}"),
    (r"it has not seen (\d+) of the first (\d+) pairs", "non ha visto {} delle prime {} coppie"),
    (
        r"it calls (\d+) % of the sample good and (\d+) % of all that it saw",
        "trova buono il {} % del campione e il {} % di quanto ha visto",
    ),
    (r"the looks at this sample began with the judge (\S+)", "gli sguardi a questo campione sono iniziati con {}"),
    (r"(.*); the next look is at (\d+)", "{}; prossimo sguardo a {}"),
    (r"(.*), and no look is left", "{}, e non restano sguardi"),
    (
        r"the first (\d+) pairs are not all labelled yet: nothing is looked at",
        "le prime {} coppie non sono ancora tutte giudicate: nessuno sguardo",
    ),
    (
        r"(\d+) of the first (\d+) pairs (?:is|are) not labelled yet (.*)",
        "{} delle prime {} coppie non ancora giudicate {}",
    ),
    (
        r"(\d+) of (\d+) are equivalent or better; (.*) would show it",
        "{} su {} equivalenti o migliori; basterebbero {}",
    ),
    (
        r"(.*); ([\d,]+) pairs? (?:is|are) not labelled yet and counts? against",
        "{}; {} coppie non ancora giudicate contano contro",
    ),
    (r"([\d,]+) pairs? (?:is|are) not labelled yet (.*)", "{} coppie non ancora giudicate {}"),
    (r"(\d+) is not (at (?:least|most) \d+)", "{}, non {}"),
    (r"(\d+) is (at (?:least|most) \d+)", "{}, {}"),
    (
        r"(Gate \S+ \(\w+\).*) This gate was first used on (\S+), when (\S+) requests? of (\S+) users? had been seen\.",
        "{} Primo uso di questo gate: {}, dopo {} richieste di {} utenti.",
    ),
    (
        r"Gate (\S+) \((\w+)\), alpha (\S+) over all daily looks, evidence of candidate (\S+) up to (.*?)\. (A .*\.)",
        "Gate {} ({}), alfa {} su tutti gli sguardi giornalieri, evidenza del candidato {} fino al {}. {}",
    ),
    # what a verdict opens, and what stands against it
    (r"Opens nothing: (.*)\.", "Non apre nulla: {}."),
    (
        r"Opens a rollout of (.*), not of (.*); a start asks for rollout\.reason\.",
        "Apre un rollout di {}, non di {}; l'avvio chiede rollout.reason.",
    ),
    (
        r"Opens a rollout of (.*); a start asks for rollout\.reason\.",
        "Apre un rollout di {}; l'avvio chiede rollout.reason.",
    ),
    (r"(.*): left out \(rollout\.exclude\)", "{}: escluso (rollout.exclude)"),
    (
        r"rollout\.exclude leaves out (.*), which slices\.json does not confirm: whose requests chose it is not known"
        r": run `(.*)`",
        "rollout.exclude esclude {}, che slices.json non conferma: non si sa su quali richieste è stato scelto: `{}`",
    ),
    (
        r"the sample was drawn without (.*), rollout\.exclude leaves out (.*): run `(.*)`",
        "il campione è stato estratto senza {}, rollout.exclude esclude {}: `{}`",
    ),
    (r"Opens a rollout of (.*), not of (.*)\.", "Apre un rollout di {}, non di {}."),
    (r"Opens a rollout of (.*)\.", "Apre un rollout di {}."),
    (
        r"(.*) is not declared by the gate: ([\d,]+) comparisons? \((.*) of what would move\)\. No criterion looked "
        r"at it on its own; (it counted .*)\.",
        "{} non è dichiarato dal gate: {} confronti ({} di ciò che si sposterebbe). Nessun criterio lo ha guardato da "
        "solo; {}.",
    ),
    (r"it counted in the whole of (.*)", "ha contato nell'insieme di {}"),
    (
        r"(\d+) more of the log's segments are not declared: not_declared in the JSON of the verdict\.",
        "Altri {} segmenti del log non sono dichiarati: not_declared nel JSON del verdetto.",
    ),
    (
        r"its evidence ends with (\S+), and the log goes on to ([\d-]+)(.*)",
        "la sua evidenza finisce con il {}, e il log continua fino al {}{}",
    ),
    (r"language (\w[\w, ]*)", "lingua {}"),
    (
        r"a look saw the log up to (\S+), and it ends with (\S+) now: bring back what is gone(.*)",
        "uno sguardo vide il log fino al {}, e ora finisce con il {}: riporta ciò che manca{}",
    ),
    (r"(gate=\S+ .*) said (\S+) afterwards, on evidence up to (.*)", "{} ha detto {} dopo, su evidenza fino al {}"),
    (
        r"(gate=\S+ .*) said (\S+) in (\S+) looks, the last on evidence up to (.*)",
        "{} ha detto {} in {} sguardi, l'ultimo su evidenza fino al {}",
    ),
    (r"(gate=\S+ .*) said (\S+) on evidence up to (.*)", "{} ha detto {} su evidenza fino al {}"),
    (
        r"a look saw ([\d,]+) comparisons up to (\S+), and ([\d,]+) are left of them",
        "uno sguardo vide {} confronti fino al {}, e ne restano {}",
    ),
    (
        r"the log holds nothing of (\d+) of the days up to (\S+): (.*)",
        "il log non ha nulla di {} dei giorni fino al {}: {}",
    ),
    (
        r"the log ends with (\S+): what came since is not in it (.*)",
        "il log finisce con il {}: ciò che venne dopo non c'è {}",
    ),
    (r"(\S+): ([\d,]+) users?, (\d+) are needed", "{}: {} utenti, ne servono {}"),
    (r"(.*) passes", "superato: {}"),
    (r"(.*) pass", "superati: {}"),
    (r"(.*) and (\S+)", "{} e {}"),
    # tiles
    (r"([\d,]+) of ([\d,]+) requests", "{} su {} richieste"),
    (r"([\d,]+) of ([\d,]+) compared", "{} su {} confrontate"),
    (r"95 %: ([\d,]+) to ([\d,]+) ms", "95 %: {}-{} ms"),
    (r"primary (.*)", "primario {}"),
    (r"(USD \S+) for (USD \S+) a month", "{} invece di {} al mese"),
    (r"the busiest sent (.*)", "il più attivo: {}"),
    # cost
    (r"The moved segment: (.*)", "Il segmento spostato: {}"),
    (r"candidate, a month \((.*)\)", "candidato, al mese ({})"),
    (r"EUR (\S+) flat, the plan's assumption", "EUR {} fissi, ipotesi del piano"),
    (
        r"EUR (\S+) flat is an assumption: the log measured (\S+) s of work a request, (\S+) hours a month one after "
        r"the other, so that the fee pays (USD \S+) an hour \(cost\.gpu_usd_hour: (.*)\)\.",
        "EUR {} fissi sono un'ipotesi: il log ha misurato {} s di lavoro per richiesta, {} ore al mese una dopo "
        "l'altra, e la tariffa paga {} all'ora (cost.gpu_usd_hour: {}).",
    ),
    (r"candidate, the 1 day so far", "candidato, il giorno finora"),
    (r"candidate, the (\d+) days so far", "candidato, i {} giorni finora"),
    (r"Price list: (.*)\.", "Listino: {}."),
    (
        r"The segment took (\S+) tokens in and (\S+) out\. The month counts (\S+) requests\. (\S+) USD per EUR\.",
        "Il segmento ha usato {} token in ingresso e {} in uscita. Il mese conta {} richieste. {} USD per EUR.",
    ),
    (
        r"The tokens of (\S+) of (\S+) requests are estimated from their texts: their streams held no usage\.",
        "I token di {} richieste su {} sono stimati dai testi: i loro stream non li dicevano.",
    ),
    (
        r"([\d,]+) requests? ha(?:ve|s) no known cost: tokens or price are missing\.",
        "{} richieste non hanno un costo noto: mancano token o prezzo.",
    ),
    (
        r"No price is known for (.*): declare it in cost\.prices, or the name's own in cost\.aliases\.",
        "Nessun prezzo noto per {}: dichiararlo in cost.prices, o il nome proprio in cost.aliases.",
    ),
    # at which volume
    (
        r"The volume is not measured: (.*)\. (\S+) requests a month are declared\.",
        "Il volume non è misurato: {}. Sono dichiarate {} richieste al mese.",
    ),
    (
        r"recorded conversations were replayed, which are not all of the traffic; a mirror or gateway measures it",
        "sono ripetute conversazioni registrate, che non sono tutto il traffico; lo misura un mirror o un gateway",
    ),
    (
        r"([\d,]+) requests do not note what share of the users was sampled \(sampling\.percent\), as version 1 of the "
        r"log does not",
        "{} richieste non dicono quale quota degli utenti è campionata (sampling.percent), come la versione 1 del log",
    ),
    (r"a sampled share of 0 is noted \(sampling\.percent\)", "è annotata una quota campionata di 0 (sampling.percent)"),
    (
        r"(\d) of the 7 days of the week have a complete day in the log \(its first and last are not\)",
        "{} dei 7 giorni della settimana hanno un giorno intero nel log (il primo e l'ultimo non lo sono)",
    ),
    (
        r"([\d,]+) users? sent what would move, at least (\d+) are needed",
        "{} utenti hanno inviato ciò che si sposterebbe, ne servono almeno {}",
    ),
    (r"shadow\.categories leaves out (.*), which would move", "shadow.categories esclude {}, che si sposterebbe"),
    (
        r"Measured: (\S+) requests a month, (\S+) to (\S+) with 95 % confidence, from (\d+) complete days? and (\S+) "
        r"users?\. (The declared .*)",
        "Misurato: {} richieste al mese, da {} a {} con fiducia del 95 %, da {} giorni interi e {} utenti. {}",
    ),
    (r"The declared (\S+) agree with that\.", "Le {} dichiarate concordano."),
    (
        r"The declared (\S+) contradict that \(cost\.monthly_requests\): the verdict and all that is said here of a "
        r"month go by (\S+), the end that is worse for the candidate\.",
        "Le {} dichiarate lo contraddicono (cost.monthly_requests): il verdetto e tutto ciò che qui riguarda il mese "
        "contano {}, l'estremo peggiore per il candidato.",
    ),
    (
        r"(.*); by (\S+) requests a month: the declared (\S+) \(cost\.monthly_requests\) contradict the log, which "
        r"measured (\S+) to (\S+)",
        "{}; con {} richieste al mese: le {} dichiarate (cost.monthly_requests) contraddicono il log, che ne ha "
        "misurate da {} a {}",
    ),
    (r"The candidate is cheaper from (\S+) requests a month on\.", "Il candidato costa meno da {} richieste al mese."),
    # what others would take
    (r"the candidate \((\w+)\)", "il candidato ({})"),
    (
        r"No listed model of (.*) is cheaper than the candidate\.",
        "Nessun modello a listino di {} costa meno del candidato.",
    ),
    (
        r"Should this traffic move at all\? (\S+) of (\S+), whose models answer today, would take (USD \S+) a month, "
        r"the candidate (USD \S+)\.",
        "Conviene davvero spostare questo traffico? {} di {}, i cui modelli rispondono oggi, costerebbe {} al mese, il "
        "candidato {}.",
    ),
    (
        r"Other models are billed by this log's own tokens, caches included, at the prices of (\S+)\. They count "
        r"tokens otherwise and answer with other lengths; whether they answer well enough, and which of them were "
        r"retired, the price lists do not say\.",
        "Gli altri modelli sono calcolati con i token di questo log, cache incluse, ai prezzi del {}. Contano i token "
        "in altro modo e rispondono con altre lunghezze; se rispondano bene, e quali siano ritirati, i listini non lo "
        "dicono.",
    ),
    # what counts as similar
    (
        r"Two answers count as similar from chrF (\S+) on: a declared choice \(engine\.similar_chrf\)\. (.*)",
        "Due risposte contano come simili da chrF {} in su: una scelta dichiarata (engine.similar_chrf). {}",
    ),
    (
        r"The primary against itself reaches it in (.*) of (\S+) comparisons, with a mean of (\d+): more than that "
        r"no candidate can be asked for\.",
        "Il primario contro sé stesso la raggiunge nel {} di {} confronti, con una media di {}: di più non si può "
        "chiedere a nessun candidato.",
    ),
    (
        r"There is no A/A comparison in these days, so it is not known how often the primary itself would reach it: "
        r"set (\S+)\.",
        "In questi giorni non c'è alcun confronto A/A, quindi non si sa quanto spesso il primario stesso la "
        "raggiungerebbe: imposta {}.",
    ),
    # routing
    (
        r"no threshold is shown to keep (\S+ %): everything stays with the primary",
        "nessuna soglia garantisce il {}: tutto resta al primario",
    ),
    (
        r"(\S+ %) of the requests, (\S+ %) of the bill, may move: at least (\S+ %) are answered, and as well as by "
        r"the primary \((\S+ %) by the bound of these alone\)",
        "si possono spostare il {} delle richieste e il {} della spesa: almeno il {} riceve una risposta, buona "
        "quanto quella del primario (il {} secondo il limite di queste sole)",
    ),
    (r"(\d+) of (\d+)", "{} su {}"),
    # pairs
    (
        r"(\d+) pairs of these, those that people found worse first\.",
        "{} di queste coppie, prima quelle che le persone hanno trovato peggiori.",
    ),
    (
        r"(\d+) comparisons drawn at random, the least alike first\. Words that only one side has are marked\.",
        "{} confronti estratti a caso, i meno simili per primi. Le parole presenti da un solo lato sono evidenziate.",
    ),
    # smells
    (r"(\S+ %) of the answers are word for word the same", "il {} delle risposte è identico parola per parola"),
    (r"(\S+ %) of the answers took the same time", "il {} delle risposte ha impiegato lo stesso tempo"),
    (r"(\S+ %) of the pairs score the same chrF", "il {} delle coppie ha lo stesso chrF"),
    (r"(\S+ %) of the answers repeat the primary's", "il {} delle risposte ripete quella del primario"),
    (r"(\S+ %) of the requests come from one user", "il {} delle richieste viene da un solo utente"),
    (r"(\S+ %) of the replies are empty or dots", "il {} delle risposte è vuoto o puntini"),
    (r"(\S+ %) of the answers have no usable latency", "il {} delle risposte non ha una latenza utilizzabile"),
    (
        r"([\d,]+) comparisons? from (\S+) to (\S+) (?:was|were) in the log and (?:is|are) gone",
        "{} confronti dal {} al {} erano nel log e non ci sono più",
    ),
    (
        r"the candidate bore (\S+) % of the load that a rollout to all users brings",
        "il candidato ha retto il {} % del carico che porterebbe un rollout a tutti gli utenti",
    ),
    (r"([\d,]+) comparisons? stands? in the log twice", "{} confronti compaiono due volte nel log"),
    (
        r"(\S+) comparisons are dated more than (\S+) h before one logged before them",
        "{} confronti hanno una data di oltre {} h anteriore a uno scritto prima",
    ),
    (
        r"the sampled share changed for one candidate: (.*)",
        "la quota campionata è cambiata per lo stesso candidato: {}",
    ),
    (r"([\d,]+) days? without a comparison", "{} giorni senza confronti"),
    # terminal and provenance
    (r"([\d,]+) of ([\d,]+) users?, (\S+) to (\S+)", "{} di {} utenti, dal {} al {}"),
    (r"(\S+ %) \(([\d,]+) failures?\)", "{} ({} errori)"),
    (r"mean (.*), p50 (.*), p95 (.*), p99 (.*)", "media {}, p50 {}, p95 {}, p99 {}"),
    (r"(\S+ %) of ([\d,]+) compared", "{} di {} confrontate"),
    (r"(\S+ %) of the sampled requests", "{} delle richieste campionate"),
    (r"([\d,]+) dropped, ([\d,]+) lines? unreadable", "{} perse, {} righe illeggibili"),
    (r"(\S+), ([\d,]+) files?, read to (\S+) 00:00 UTC", "{}, {} file, letti fino al {} 00:00 UTC"),
    (r"(\S+), since (\S+)", "{}, dal {}"),
    (r"chrF at or above (\S+); ([\d,]+) comparisons? scored", "chrF da {} in su; {} confronti misurati"),
    (r"mean cosine by (.+); ([\d,]+) comparisons? scored", "coseno medio secondo {}; {} confronti misurati"),
    (r"drawn at random with seed (\d+)", "estratte a caso con seme {}"),
    (r"(\S+\.jsonl), line (\d+)", "{}, riga {}"),
)
