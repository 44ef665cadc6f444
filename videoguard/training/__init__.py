"""LoRA training of a base model on a dataset; runs in a process of its own."""
