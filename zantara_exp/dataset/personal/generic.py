"""Personal data that all countries share: cards, accounts, passports, dates of birth, codes. The words that name them
are in the languages of all packs, since people write about their passport in any of them.
"""

from __future__ import annotations

import re
from string import ascii_uppercase

from zantara_exp.dataset.personal.pack import Named, Pack, Shape, digits, plain

_MONTHS = (
    r"(?:jan|gen|ene|feb|f[ée]v|mar|mär|apr|avr|abr|mag|ma[iy]|mei|giu|jui|jun|lug|jul|ago|agu|aug|ao[uû]|se[pt]"
    r"|ott|o[ck]t"
    r"|nov|dic|d[eé][csz])[^\W\d_]{0,8}\.?"
)
DATE = (
    r"(?:\d{1,2}\s?(?P<_between>[./-]|\s-\s|\s)\s?\d{1,2}\s?(?P=_between)\s?(?:19|20)?\d{2}"
    r"|(?:19|20)\d{2}\s?[./-]\s?\d{1,2}\s?[./-]\s?\d{1,2}|\d{8}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|[º°.])?[\s-]{{0,2}}(?:de\s|of\s)?{_MONTHS}[\s,-]{{0,2}}(?:de[l]?\s)?(?:19"
    rf"|20)?\d{{2}}"
    rf"|{_MONTHS}\s?\d{{1,2}}(?:st|nd|rd|th)?,?\s(?:19|20)\d{{2}})"
)
"""A whole date as people write one, in figures or with the month's name in one of the packs' languages."""
ACCOUNT = r"(?:\d{6,26}(?!\d)|\d(?:[ .-]{0,3}\d){5,25})"
_CARD = (  # what follows a card is a date as often as not: 4111 1111 1111 1111 12/28
    r"\d{13,19}(?!\d)|\d{4}(?:[ ._/-]{1,3}\d{4}){3}(?!\d)|\d{4}[ ._/-]{1,3}\d{6}[ ._/-]{1,3}\d{5}(?!\d)"
    r"|(?:\d[ ._/-]{0,2}){12,18}\d"
)
_MONEY = re.compile(r"\d{1,3}(?:[.,' ]\d{3})+|\d*[1-9]0{5,}")


def is_card(text: str) -> bool:
    """Luhn's check over the 13 to 19 digits of a card."""
    from stdnum import luhn

    number = digits(text)
    return 13 <= len(number) <= 19 and luhn.is_valid(number)


def is_iban(text: str) -> bool:
    """The check digits of ISO 13616; words in small letters with a number between them are none."""
    from stdnum.iso7064 import mod_97_10

    number = plain(text)
    return (text[:2].isupper() or " " not in text) and mod_97_10.is_valid(number[4:] + number[:4])


def is_account(text: str) -> bool:
    """No amount: neither in groups of three nor a round one."""
    return not _MONEY.fullmatch(text)


def is_date(text: str) -> bool:
    """Eight digits in a row are a date only with a month and a day in them."""
    if not text.isdigit():
        return True
    halves = ((text[4:6], text[6:]), (text[2:4], text[:2]), (text[:2], text[2:4]))
    return any(1 <= int(month) <= 12 and 1 <= int(day) <= 31 for month, day in halves)


def _iban() -> str:
    """Every country's own form, from the registry in python-stdnum."""
    from stdnum import numdb

    registry, signs, forms = numdb.get("iban"), {"n": r"\d", "a": "[A-Z]", "c": "[A-Z0-9]"}, []
    for code in (first + second for first in ascii_uppercase for second in ascii_uppercase):
        for _, known in registry.info(code)[:1]:
            parts = re.findall(r"(\d+)!([nac])", known.get("bban", ""))
            body = "".join(rf"(?:[ .-]{{0,2}}{signs[sign]}){{{length}}}" for length, sign in parts)
            forms += [rf"{code}[ .-]?\d\d{body}"] if body else []
    return rf"(?=[A-Z]{{2}}[ .-]?\d\d)(?:{'|'.join(forms)})"


IBAN = _iban()

PACK = Pack(
    words={
        # What is no personal number, and what says nothing of the number behind it.
        "other": "order|orders|ordine|ordini|pesanan|bestellung|bestellnummer|auftrag|auftragsnummer|commande"
        "|pedido|orden|invoice"
        "|fattura|faktur|rechnung|rechnungsnummer|facture|factura|protocollo|prot.|pratica|aktenzeichen|dossier"
        "|expediente|resi"
        "|tracking|sendungsnummer|colis|spedizione|pengiriman|envío|shipment|parcel|antrian|booking|prenotazione"
        "|reservation"
        "|réservation|reserva|buchung|buchungsnummer|nib|ticket|tiket|ticketnummer|biglietto|billet|billete|ref."
        "|reference"
        "|riferimento|referenz|référence|referencia|referensi|transaction|transazione|transaksi|transaktion"
        "|transacción|serial"
        "|seriale|seriennummer|série|serie|sn|s/n|imei|isbn|upc|issn|ean|sku|barcode|barkode|artikel|artikelnummer"
        "|article|articolo"
        "|artículo|art.|item|product|produk|prodotto|produkt|produit|producto|model|modello|modell|modèle|modelo"
        "|kbli|pasal"
        "|section|clause|versi|version|versione|versión|v.|build|flight|volo|penerbangan|flug|vol|vuelo|gate|room"
        "|kamar|camera"
        "|zimmer|chambre|habitación|kode pos|cap|postcode|zip|plz|population|popolazione|penduduk|einwohner|habitants"
        "|habitantes|abitanti|voucher|coupon|promo|contract|contratto|kontrak|vertrag|vertragsnummer|contrat"
        "|contrato|polizza"
        "|confirmation|conferma|konfirmasi|bestätigung|bestätigungsnummer|confirmación|policy|polis|police"
        "|membership|member|mitglied"
        "|mitgliedsnummer|anggota|matricola|badge|meter|contatore|patent|brevetto|case|kasus|caso|error|errore"
        "|fehler|erreur|batch|lot|lotto|chassis|id ordine|order id|case id|customer number|kundennummer"
        "|numero cliente|numéro client|número de cliente|law|legge|undang|gesetz|loi|ley|pp|uu|perpres|permen|dpr"
        "|d.lgs.",
        "number": "number|no|no.|nr|nr.|n.|num|num.|numero|numeri|nomor|nomer|nummer|numéro|número|n°|nº",
        "amount": "total|totale|gesamt|harga|prezzo|price|preis|prix|precio|costo|cost|costa|kosten|biaya|coût"
        "|coste|importo|amount|jumlah"
        "|betrag|montant|importe|saldo|balance|modal|capitale|capital|gaji|stipendio|salary|gehalt|salaire|sueldo"
        "|rp|idr|eur|usd"
        "|fatturato|revenue|omzet|umsatz|budget|bilancio|deposito|deposit|bayar|paga|pagare|pay|spesa|pajak",
        "phone": "tlf|tlf.|tlfno|tfno|fon|gopay|ovo|dana|shopeepay|linkaja|phone|phones|telephone|tel|tel.|telp"
        "|telp.|telepon~|telpon~"
        "|telefono|telefoni|telefon|telefonnummer|téléphone|teléfono"
        "|fisso|festnetz|festnetznummer|fixe|fijo|cell|cell.|cellulare|cel|mobile|mobil|mobilnummer|mobiltelefon"
        "|handy|handynummer|rufnummer"
        "|portable|móvil|movil|celular|hp~|wa~|whatsapp|whatapp|wa.me|signal|telegram|call|calls|ring|text me|text"
        "|dial|chiama"
        "|chiamami|chiamatemi|chiamare|chiamarmi|chiamate|richiamami|richiamatemi|richiamare|sentiamoci|scrivimi"
        "|hubungi|kontak~|contact"
        "|contatto|contattami|contattatemi|contattare|contacto|kontakt|joindre|appelle|appelez|appeler|appelle-moi"
        "|appelez-moi|rappelez"
        "|rappeler|joignable|llama|llame|llamar|llamarme|llámame|llámeme|contáctame|anrufen|ruf|rufen|anruf"
        "|reperibile|raggiungibile|erreichbar|erreichen"
        "|erreichst|sms|fax|reach me|reach us|recapito|recapiti|ligne|numero di telefono|nomor telepon|hotline"
        "|telefoon|telefoonnummer|mobiel|mobiele nummer|gsm|bel|bel me|bel mij|bellen|terugbellen|belt|bereikbaar op"
        "|telefonu|numer telefonu|komórka|komórkę|komórkowy|zadzwoń|zadzwon|zadzwonić|dzwoń|dzwonić|dzwonic|oddzwonić"
        "|infolinia|pod numer|pod numerem",
        "email": "email~|e-mail|mail|mails|courriel|correo|posta|pec|surel|indirizzo email",
        "passport": "passport|passports|paspor~|passaporto|passaporti|reisepass|reisepassnummer|passnummer|passnr."
        "|pass nr.|pass no.|passport#|pass-nr."
        "|passeport|pasaporte",
        "idcard": "id card|identity card|carta d'identità|carta d'identita|carta d identità|carta identità|c.i.e."
        "|cie|personalausweis"
        "|personalausweisnummer|ausweis|ausweisnummer|ausweisnr.|perso|carte d'identité|carte d'identite|cni"
        "|documento d'identità"
        "|documento di identità|documento de identidad|national id|id number|identity number",
        "licence": "driving licence|driver's licence|drivers licence|driver licence|driving license"
        "|driver's license|drivers license"
        "|driver license|dl|dl#|patente|patente di guida|führerschein|führerscheinnummer|permis de conduire|permis"
        "|permiso de conducir|permiso de conducción|carnet de conducir|sim a|sim b|sim c|nomor sim|no sim|no. sim"
        "|sim saya",
        "plate": "targato|targati|plat mobil|plat motor|plat kendaraan|plate|plates|number plate|licence plate"
        "|license plate|registration|reg|targa|targata|targhe|plat"
        "|plat nomor|nopol"
        "|nomor polisi|no pol|no. pol|no polisi|kennzeichen|nummernschild|plaque|plaques|immatriculation"
        "|immatriculé|immatriculée|matrícula"
        "|matricula|placa",
        "born": "born|date of birth|birth date|birthdate|birthday|d.o.b.|nato|nata|nati|data di nascita|nascita"
        "|compleanno|lahir"
        "|tanggal lahir|tgl lahir|tgl. lahir|tempat tanggal lahir|kelahiran|ttl|ulang tahun|geboren|geb."
        "|geburtsdatum|geburtstag"
        "|né|née|ne le|nee le|date de naissance|naissance|anniversaire|nacido|nacida|nací|nacio|nació"
        "|fecha de nacimiento|fecha de nac.|fec. nac.|f. nac."
        "|nacimiento|cumpleaños",
        "bank": "account|acc|acc. no|acc. number|account number|account no|acct|a/c|bank account|conto"
        "|conto corrente|c/c|c.c.|n. conto|numero conto|numero di conto"
        "|rekening~|norek~|nomor rekening|no rek|no. rek|rek|rek.|virtual account|va|konto|kontonummer|kontonr.|kto"
        "|kto.|compte"
        "|numéro de compte|rib|cuenta|cuenta bancaria|número de cuenta|nº de cuenta|ccc|swift account",
        "iban": "iban",
        "card": "card|credit card|debit card|carta|carta di credito|kartu~|kartu kredit|kreditkarte|kartennummer"
        "|karte|carte|carte bancaire"
        "|cb|tarjeta|visa|mastercard|amex|american express|maestro|bancomat",
        "code": "pin~|pin code|codice pin|kode pin|otp|kode otp|codice otp|tan|cvv|cvv2|cvc|cvc2|verification code"
        "|security code|access code"
        "|codice di verifica|codice di sicurezza|codice di accesso|codice sms|kode verifikasi|kode akses"
        "|kode keamanan|bestätigungscode"
        "|sicherheitscode|zugangscode|code de vérification|code de sécurité|code secret|code confidentiel|code d'accès"
        "|código de verificación|código de seguridad|clave de acceso|your code is|il tuo codice è|kode anda"
        "|kode kamu|ihr code|votre code est|tu código es|2fa|passcode|one-time code|puk",
        "password": "password~|passwd|pwd|pass|passphrase|pw|kata sandi~|sandi~|kata kunci~|passwort|kennwort"
        "|mot de passe|mdp|contraseña"
        "|clave|parola d'ordine|parola chiave|psw|pswd|passwords|passw"
        "|wachtwoord|wachtwoorden|hasło|hasła|hasłem|haslo|heslo|lösenord|adgangskode|passord|salasana|jelszó|senha",
        "token": "token~|access token|api key|api-key|api_key|apikey|access key|secret|secret key|client secret"
        "|chiave|chiave api|chiave segreta"
        "|kunci api|schlüssel|api-schlüssel|api schlüssel|clé|clé api|clave api|clave secreta|access_token"
        "|refresh_token|auth|authorization",
        "user": "user|username|user name|login|utente|nome utente|pengguna|nama pengguna|benutzer|benutzername"
        "|identifiant|utilisateur"
        "|usuario|id",
        "key": "sk|pk|rk|hf|rpa|ghp|gho|ghs|ghu|ghr|github_pat|glpat|npm|xoxa|xoxb|xoxp|xoxr|xoxs|xapp|shpat|dop"
        "|pypi|whsec|sg|gocspx|bearer|basic"
        "|begin|figd|lin|sq0atp|sntrys|pat|nvapi|gsk|r8|dapi|tskey|ops|key",
        "at": "at|ät|keong|chiocciola|chiocciolina|arroba|arobase|arobas|klammeraffe|affenschwanz|et",
        "network": "ip|ip address|ipv4|ipv6|indirizzo ip|alamat ip|ip-adresse|adresse ip|dirección ip|server|host"
        "|hostname|ping|router|gateway|subnet"
        "|dns|ssh|vpn|proxy|localhost|firewall|from ip|login|endpoint|servidor|serveur|vps|port|rdp|ftp|sftp",
        "address": "address|addresses|live|lives|living|resident|residing|indirizzo|abito|abita|abitiamo|abitano"
        "|vivo|vive|viviamo|residente|residenza"
        "|domicilio|domiciliato|domiciliata|alamat~|tinggal|domisili|beralamat|rumah~|kirim ke|dikirim ke|antar ke"
        "|jemput|wohne|wohnt|wohnen"
        "|wohnhaft|adresse|anschrift|wohnort|lieferadresse|postadresse|habite|habitons|demeurant|domicilié"
        "|domiciliée|réside|livrer|livraison"
        "|dirección|domiciliado|resido|spedire|spedite|spedizione a|consegna|consegnare|deliver|delivery|ship"
        "|shipping|postal|mailing|post"
        "|moved to|mi trovo|ci troviamo|casa mia|home|envíame|enviar|recogerme|pick me up"
        "|adres|adresu|woon|woont|wonen|woonachtig|bezorgadres|stuur|bezorgen|mieszkam|mieszka|zamieszkały|zamieszkała"
        "|wyślijcie na|wysłać na",
    },
    named=(
        Named("IBAN", "iban", IBAN),
        Named("IBAN", "iban", r"[A-Z]{2} ?\d{2}(?:[ .-]?(?=[A-Z]{0,4}\d)[A-Z0-9]{1,12}){2,8}"),
        Named("CARD", "card", _CARD, lambda text: len(digits(text)) in (13, 14, 15, 16, 19)),
        Named(
            "PASSPORT",
            "passport",
            r"(?:[A-Z]{1,3}[ -]?\d(?:[ -]?\d){4,7}[A-Z]{0,3}|(?=(?:[A-Z]*\d){4})[A-Z0-9]{6,10}"
            r"|\d{2}[ -]?[A-Z]{2}[ -]?\d{5})",
        ),
        Named("ID_CARD", "idcard", r"(?:[A-Z]{2}[ -]?\d{5,7}[ -]?(?:[A-Z]{2})?|(?=(?:[A-Z]*\d){4})[A-Z0-9]{8,12})"),
        Named(
            "DRIVING_LICENCE",
            "licence",
            r"(?=(?:[A-Z]*\d){4}|[A-Z]\d{3}[ -])[A-Z0-9]{1,16}(?:[ -]?(?=[A-Z]*\d)[A-Z0-9]{2,8}){0,4}",
            lambda text: sum(map(str.isdigit, text)) >= 5,
        ),
        Named("BIRTH_DATE", "born", DATE, is_date, near=45),
        Named("BANK_ACCOUNT", "bank", ACCOUNT, is_account, near=35),
    ),
    shapes=(
        Shape("IBAN", IBAN, is_iban, digits=6, letter=True),
        Shape("CARD", rf"(?=[2-6]\d{{3}})(?:{_CARD})", is_card, digits=13),
        Shape("PASSPORT", r"(?-i:[A-Z]{1,2}) ?\d{7}", digits=7, letter=True),
        Shape("PASSPORT", r"\d{2}(?-i:[A-Z]{2})\d{5}", digits=7),
    ),
    regions=("AU", "SG", "NL"),
)
"""What every product has."""
