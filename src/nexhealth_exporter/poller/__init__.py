"""Asking NexHealth about every institution, round after round.

poller     when the inventory and the rounds are due; what is planned
rounds     one round of polls, in one call for the fleet or one by one
asking     asks about all institutions in one call, or one by one, within the budget
left_out   institutions that the answer about the whole fleet leaves out
budget     delays questions, so that no 30 days cost more calls than allowed
latest     the latest fleet, and how polls change it
heartbeat  the heartbeat for the liveness probe
sleeper    sleeps that a wake-up ends
ports      what is needed of NexHealth and of the metrics
"""

from nexhealth_exporter.poller.poller import Poller
from nexhealth_exporter.poller.rounds import FLEET_REFUSED

__all__ = ["FLEET_REFUSED", "Poller"]
