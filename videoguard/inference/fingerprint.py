"""The code that decides an answer. Apart, since the flow's process loads no model library."""

INFERENCE_SOURCE = (
    "augmentation/changes.py",
    "inference",
    "models/preprocessing.py",
    "models/chat.py",
    "models/media.py",
    "models/batching.py",
    "models/loading.py",
    "models/families.py",
    "models/parts.py",
    "dataset/messages.py",
    "dataset/answer_schema.py",
    "manifests/labels.py",
    "dataset/guard.py",
    "dataset/guard_texts.py",
    "manifests/formats/guard_categories.py",
)
