"""Bias and safety audits of open language models, with evidence that can be checked.

``run_audit`` in :mod:`llmaudit.audit` is the whole program; everything else is a part of it.
Importing this package imports nothing heavy.
"""

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Look ``__version__`` up when asked: reading package metadata costs more than the import."""
    if name != "__version__":
        raise AttributeError(f"module 'llmaudit' has no attribute {name!r}")
    from importlib.metadata import version

    return version("openllmaudit")
