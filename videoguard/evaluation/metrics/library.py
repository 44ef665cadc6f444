"""The library `evaluate`, without the seconds that its evaluators take.

On import it loads the pipelines of transformers, and with them torch and torchvision, and the statistics of scipy, for
evaluators that nothing here uses. It does without where these are not to be had: so that is what it is told, unless they are
loaded anyway.
"""

import sys

# With transformers in sight, which it looks for once.
import datasets  # noqa: F401

_hidden = [name for name in ("transformers", "scipy.stats") if name not in sys.modules]

# None is the documented way to make an import fail.
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]
try:
    import evaluate
finally:
    for name in _hidden:
        del sys.modules[name]

Metric = evaluate.Metric
MetricInfo = evaluate.MetricInfo
