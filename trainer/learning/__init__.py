"""How a network is trained and measured.

Rooms, from the top: ``release`` and ``fusion``, ``evaluation``, ``loop``; tables and picture sheets serve them all.
"""
