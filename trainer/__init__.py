"""Training of in-context segmentation networks: MegaMedical, tasks, learning, evaluation."""
