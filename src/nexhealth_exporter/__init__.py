"""Watch whether medical and dental offices still sync with NexHealth."""

__version__ = "0.1.0"
