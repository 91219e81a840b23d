"""The pure core: when a sync should be refreshing, and what follows from its last mark.

No I/O and no clock of its own: marks, hours and an instant go in; expectation,
unexpected lag, deadlines and reasons come out. The live exporter and the backtest use it alike.
"""
