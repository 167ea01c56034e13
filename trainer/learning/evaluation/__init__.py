"""How good a network is: in context, with clicks, slice to volume. :func:`.whole.evaluate` measures it all.

:mod:`.setting` makes the pool and the validation of a run out of its configuration.
"""
