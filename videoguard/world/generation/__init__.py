"""Generation in processes of its own, one a GPU: items in, a folder with clip and record for each out."""
