"""A simulated NexHealth and simulated offices. Imports nothing of the exporter itself."""

from nexhealth_exporter.simulator.offices import Office, plain_office, plain_offices
from nexhealth_exporter.simulator.server import Simulator

__all__ = ["Office", "Simulator", "plain_office", "plain_offices"]
