"""NexHealth's API: the calls, how often they may be sent, and what the answers mean.

client      the calls: inventory, the syncs of one institution, the syncs of all
exchange    one HTTP call: paced, limited in time and size, metered
pacer       when the next call may be sent
throttling  the pause after a 429
retry       which failures are retried, when, and how many at most
token       the bearer token, renewed early
refusals    the error for an answer that is no success
envelope    what surrounds the entries of an answer (splitting and limits serve it)
payload     entries to values; the API's words stop there (scalars, text, naming, zones serve it)
remarks     log lines about answers that are usable but not flawless
"""

from nexhealth_exporter.nexhealth.client import NexHealth
from nexhealth_exporter.nexhealth.exchange import Meter
from nexhealth_exporter.nexhealth.pacer import Pacer

__all__ = ["Meter", "NexHealth", "Pacer"]
