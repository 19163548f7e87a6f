"""From a dataset to a fine-tuned model: data, model, trainer, metrics, export."""
