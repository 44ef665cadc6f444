"""The audit log: who asked what for which model and how it ended. Never what was asked, shown or answered."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

AUDIT = Path("serving", "audit.jsonl")
_LARGEST_BYTES = 50 << 20
_KEPT = 5


class AuditLog:
    """JSON Lines in the state folder, readable by its owner alone; a full file is put aside, and five are kept."""

    def __init__(self, state: Path) -> None:
        self.path = state / AUDIT
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o600)
        self._handler = RotatingFileHandler(self.path, maxBytes=_LARGEST_BYTES, backupCount=_KEPT, encoding="utf-8")

    def write(self, event: str, request_id: str, **facts: object) -> None:
        """One line: `accepted` when a request has its place, `ended` with its status."""
        told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, "request": request_id, **facts}
        line = json.dumps(told, ensure_ascii=True)
        self._handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()
