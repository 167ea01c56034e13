"""``universeg-slicer bench next``: labelled scans used on the next patient, beside every free alternative."""
