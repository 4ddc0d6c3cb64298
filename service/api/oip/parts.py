"""The parts of the Open Inference Protocol, in the order in which they are matched."""

from service.api.oip import config, health, metadata, not_offered, repository, statistics

# statistics first: there, `stats` is no model's name
PARTS = (statistics, metadata, config, health, repository, not_offered)
