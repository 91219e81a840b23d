"""Replays recorded observations: what would have alerted, here and by simpler baselines."""

from nexhealth_exporter.backtest.answer import Answer, answer
from nexhealth_exporter.backtest.observations import Batch, batches
from nexhealth_exporter.backtest.replay import Alert, Replay

__all__ = ["Alert", "Answer", "Batch", "Replay", "answer", "batches"]
