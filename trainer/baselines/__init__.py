"""The few-shot methods that the paper compares with, each in one file, and the network per task that bounds them all.

They read the image of a query alone (no clicks, no prior), need at least one example, and are trained by the same loop
as our own networks: ``architecture: {family: panet}`` in a configuration.
"""
