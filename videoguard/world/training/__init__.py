"""LoRA post-training of the transformer by flow matching, checkpointed and resumable to the same bytes."""
