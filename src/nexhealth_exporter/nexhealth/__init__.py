"""NexHealth's API: what is asked, how often at most, and what the answers mean.

client     the calls: inventory, the syncs of one institution, the syncs of all
payload    JSON to values; the API's words stop there (scalars, text, naming, zones serve it)
exchange   one HTTP call: paced, limited in time and size, metered
token      a bearer token at hand, renewed early
retry      which failures are tried again, when, and how many at most
remarks    what is wrong with answers that can be used: the log, but not each round
pacer      when the next call may be sent
"""

from nexhealth_exporter.nexhealth.client import NexHealth
from nexhealth_exporter.nexhealth.exchange import Meter
from nexhealth_exporter.nexhealth.pacer import Pacer

__all__ = ["Meter", "NexHealth", "Pacer"]
