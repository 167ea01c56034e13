"""``universeg-slicer bench quality``: our volumes against those of every free alternative, on real scans."""
