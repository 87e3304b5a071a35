"""The run store: all records of one audit of one model, in one SQLite file."""

from llmaudit.store.run_store import Event, RunStore

__all__ = ["Event", "RunStore"]
