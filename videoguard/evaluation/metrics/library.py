"""The library `evaluate`, without the seconds that its evaluators take.

On import it loads the pipelines of transformers, and with them torch and torchvision, for evaluators that nothing here uses.
It does without where transformers is not to be had: so that is what it is told, unless transformers is loaded anyway.
"""

import sys

# With transformers in sight, which it looks for once.
import datasets  # noqa: F401

_HIDDEN = "transformers"

if _HIDDEN in sys.modules:
    import evaluate
else:
    sys.modules[_HIDDEN] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        import evaluate
    finally:
        del sys.modules[_HIDDEN]

Metric = evaluate.Metric
MetricInfo = evaluate.MetricInfo
