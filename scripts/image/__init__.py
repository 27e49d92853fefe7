"""Proves the Dockerfile without a container engine: runs its steps in clean folders, and tries what comes out.

``python -m scripts.image`` (``make image``) does all of it and prints the image's contents by size.
"""
