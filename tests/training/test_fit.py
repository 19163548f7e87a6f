"""What is handed to the trainer, without training."""

from __future__ import annotations

import math

import pytest

from zantara_exp.config.schema import Config
from zantara_exp.training.encode import Encoded, EncodedSplit
from zantara_exp.training.estimate import duration, eur_of, priced
from zantara_exp.training.fit import sequences, total_steps


def split(lengths: list[int]) -> EncodedSplit:
    return EncodedSplit([Encoded([1] * n, [1] * n) for n in lengths])


def test_steps_count_examples_or_packed_sequences(monkeypatch: pytest.MonkeyPatch):
    config = Config()
    config.trainer.epochs, config.trainer.batch_size, config.trainer.gradient_accumulation = 2.0, 4, 2
    config.trainer.max_length = 100
    data = split([50] * 160)
    assert total_steps(config, sequences(config, data)) == 2 * 160 // 8
    config.trainer.packing = True
    assert sequences(config, data) == 80
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert total_steps(config, sequences(config, data)) == 2 * math.ceil(80 / 16)


def test_an_hour_on_two_gpus_is_two_gpu_hours_at_their_price():
    config = Config()
    config.cost.gpu_hour_eur = 0.79
    eur = eur_of(config, 3600.0, 2)
    assert eur == pytest.approx(1.58)
    assert priced(3600.0, 2, eur) == ", 2.00 GPU hours, EUR 1.58"
    assert priced(60.0, 0, eur_of(config, 60.0, 0)) == " on this CPU"


def test_durations_are_readable():
    assert [duration(s) for s in (5, 75, 3600, 7 * 3600 + 120)] == [
        "0 min 05 s", "1 min 15 s", "1 h 00 min", "7 h 02 min",
    ]  # fmt: skip
