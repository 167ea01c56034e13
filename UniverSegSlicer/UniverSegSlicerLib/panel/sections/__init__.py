"""The sections of the panel, one file each: they share :class:`..context.Context` and do not know one another."""
