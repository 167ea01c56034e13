"""The published family (UniverSeg v1): its trainable model, and the exact inference that shares work between queries.

The way of a forward pass: :mod:`.model` is trained; :mod:`.prepared` lays its weights out for one device;
:mod:`.encoding` computes what the support set alone decides; :mod:`.engine` adds the queries, in the pieces that
:mod:`.planning` cuts. Its modules import torch; this package does not.
"""
