"""The models under audit: the Protocol, one file per kind, and the registry of known models."""
