"""LoRA adapters of the transformer: read, checked before anything is loaded, converted, attached, switched and combined."""
