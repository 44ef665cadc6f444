"""What manifests are carried in: JSON, JSON Lines, CSV, Parquet, folders and names of `datasets`."""
