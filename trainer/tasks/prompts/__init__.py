"""What a query brings besides its image: simulated clicks and prior planes."""

from .clicks import correct, first_clicks
from .priors import disturb

__all__ = [
    "correct",
    "disturb",
    "first_clicks",
]
