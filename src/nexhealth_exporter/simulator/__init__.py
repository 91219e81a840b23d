"""A simulated NexHealth and simulated offices. Imports nothing from the rest of the exporter."""

from nexhealth_exporter.simulator.offices import Office, plain_office, plain_offices
from nexhealth_exporter.simulator.server import Simulator
from nexhealth_exporter.simulator.world import World

__all__ = ["Office", "Simulator", "World", "plain_office", "plain_offices"]
