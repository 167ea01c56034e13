"""A training run: settings, optimizers, losses, checkpoints. :func:`.training.train` carries it out."""
