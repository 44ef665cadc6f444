"""The library `evaluate`, without the seconds that its evaluators take.

On import it loads the pipelines of transformers, and with them torch and torchvision, and the statistics of scipy, for
evaluators that nothing here uses. It does without where these are not to be had: so that is what it is told, also where they
are loaded already, since their pipelines are not.
"""

import sys

# With transformers in sight, which it looks for once.
import datasets  # noqa: F401

_hidden = {name: sys.modules.get(name) for name in ("transformers", "scipy.stats")}

# None is the documented way to make an import fail.
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]
try:
    import evaluate
finally:
    for name, module in _hidden.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module

Metric = evaluate.Metric
MetricInfo = evaluate.MetricInfo
