"""Proves the Dockerfile without a container engine: runs its steps in clean folders, starts what comes out, weighs it.

``python -m scripts.image`` (``make image``) does all of it and prints the image's contents by size.
"""
