"""The panel: widgets of the Slicer module. The only room that knows Qt; it asks ``scene`` for everything else."""
