"""Work in a process of its own, while Slicer stays usable: the packages that it needs, and the process."""
