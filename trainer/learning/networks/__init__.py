"""The networks as training sees them: where their weights begin, and their forward pass on whole episodes."""
