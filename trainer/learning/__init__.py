"""How a network is trained and measured: losses, the loop, checkpoints, evaluation, release."""
