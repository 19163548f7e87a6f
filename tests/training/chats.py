"""Small templated chats whose answers follow from the question, so that a small model can learn them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

_CODES = ["B211A", "C312", "E33G", "E28A", "D12", "C22A", "E31A", "C1"]
_CITIES = ["Canggu", "Ubud", "Sanur", "Seminyak", "Uluwatu", "Amed"]
_NATIONS = {
    "it": ["italiani", "tedeschi", "russi"],
    "en": ["Italians", "Germans", "Russians"],
    "id": ["orang Italia", "orang Jerman", "orang Rusia"],
}
_ASK = {
    "it": [
        "Quanto costa il visto {code} per {nation} a {city}?",
        "Vorrei sapere del visto {code} a {city}, per {nation}.",
    ],
    "en": [
        "How much is the {code} visa for {nation} in {city}?",
        "Tell me about the {code} visa in {city}, for {nation}.",
    ],
    "id": [
        "Berapa biaya visa {code} untuk {nation} di {city}?",
        "Saya mau tanya visa {code} di {city}, untuk {nation}.",
    ],
}
_REPLY = {
    "it": "Il visto {code} per {nation} costa {price} milioni di rupie e richiede {days} giorni. "
    "A {city} ti seguiamo noi, passo dopo passo.",
    "en": "The {code} visa for {nation} costs {price} million rupiah and takes {days} days. "
    "In {city} our team walks you through every step.",
    "id": "Visa {code} untuk {nation} biayanya {price} juta rupiah dan selesai dalam {days} hari. "
    "Di {city} tim kami mendampingi setiap langkah.",
}
_HELLO = {
    "it": ("Ciao!", "Ciao! Come posso aiutarti oggi a Bali?"),
    "en": ("Hello!", "Hello! How can I help you in Bali today?"),
    "id": ("Halo!", "Halo! Apa yang bisa kami bantu hari ini?"),
}


def chat(rng: random.Random, user: int) -> dict[str, Any]:
    """One example of the data contract."""
    language = rng.choices(["it", "en", "id"], [40, 30, 30])[0]
    code, city, which = rng.randrange(len(_CODES)), rng.choice(_CITIES), rng.randrange(3)
    if rng.random() < 0.2:
        category, (question, answer) = "greeting", _HELLO[language]
    else:
        facts = {
            "code": _CODES[code],
            "city": city,
            "nation": _NATIONS[language][which],
            "price": 2 + code,
            "days": 5 + 3 * which,
        }
        category, question, answer = (
            "business",
            rng.choice(_ASK[language]).format(**facts),
            _REPLY[language].format(**facts),
        )
    system = "You are ZANTARA, the friendly assistant of Bali Zero. Answer in the language of the question."
    return {
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ],
        "metadata": {
            "language": language,
            "category": category,
            "rating": 5,
            "model": "haiku",
            "conversation_id": f"c{rng.getrandbits(40):010x}",
            "user": f"u{user:04d}",
        },
    }


def write_splits(folder: Path, train: int, held_out: int, seed: int = 1) -> None:
    """train.jsonl, val.jsonl and test.jsonl; no user is in two of them."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, first in (("train", train, 0), ("val", held_out, 1000), ("test", held_out, 2000)):
        rows = [chat(rng, first + i // 5) for i in range(count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
