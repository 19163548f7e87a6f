"""Experiments that decide whether a fine-tuned model may take over part of a product's chat traffic."""

__version__ = "0.1.0"
