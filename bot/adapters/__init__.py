"""The only places that import a vendor SDK."""
