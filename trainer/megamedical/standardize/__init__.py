"""From samples as published to squares of one size: intensity, spacing, slices, resize, splits, and the run itself."""
