"""``universeg-slicer cohort``: one support set, many volumes."""
