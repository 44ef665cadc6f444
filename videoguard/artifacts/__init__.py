"""The content-addressed store that the steps hand each other.

An artifact is a folder named by the digest of all that it came from. It is written under a temporary name and renamed into
place once `artifact.json` is written, so a folder under its final name is complete.
"""
