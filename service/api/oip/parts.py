"""What the Open Inference Protocol has beside infer, in the order in which it is matched."""

from service.api.oip import config, health, metadata, not_offered, repository, statistics

# statistics first: there, `stats` is no model's name
PARTS = (statistics, metadata, config, health, repository, not_offered)
