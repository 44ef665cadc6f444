"""Measurements of clips that need no judge: the condition kept, frames that hold together, the difference to the base."""
