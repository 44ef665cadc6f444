"""MLflow: runs, logged models and registered versions. The only folder that imports mlflow."""

import os

# MLflow reads them when it is imported.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
# Seven tries of its own take minutes; a step is tried again anyway.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
# Standard output is for the summary; a server's client would print its addresses there.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
