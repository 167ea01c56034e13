"""What a cohort is made of: its volumes and its support."""
