"""Fine-tuning video-language models on private video, and evaluating them every night.

Everything in this package works without Prefect: a notebook, the server and a cluster worker call the same functions that
the tasks of the flow call.
"""

__version__ = "0.1.0"
