"""The code that decides a score."""

EVALUATION_SOURCE = (
    "evaluation",
    "manifests/labels.py",
    "manifests/formats/guard_categories.py",
    "dataset/answer_schema.py",
    "dataset/guard.py",
    "inference/guard/trace.py",
)
