-- What PostgreSQL makes at its first start: Prefect and MLflow number their migrations in a table of the same name.
CREATE DATABASE prefect;
CREATE DATABASE mlflow;
CREATE DATABASE mlflow_auth;
