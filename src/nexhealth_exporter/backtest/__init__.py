"""Recorded observations through the core: what would have been alerted, and by simpler ways."""

from nexhealth_exporter.backtest.answer import Answer, answer
from nexhealth_exporter.backtest.observations import Batch, Seen, batches
from nexhealth_exporter.backtest.replay import Alert, Lasted, Replay

__all__ = ["Alert", "Answer", "Batch", "Lasted", "Replay", "Seen", "answer", "batches"]
