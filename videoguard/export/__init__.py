"""A trained adapter as others can use it without Video-Guard: a folder, merged or not, with a model card; or on the hub."""
