"""What lies on disk, format by format. :func:`.loading.load_array` reads any file as an :class:`.arrays.RawArray`."""
