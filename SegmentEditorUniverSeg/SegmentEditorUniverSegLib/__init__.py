"""The Segment Editor effect "UniverSeg"."""
