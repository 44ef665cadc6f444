"""MLflow: runs, logged models and registered versions. The only folder that imports mlflow."""

import os

# MLflow reads it when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
