"""Where the weights come from: files, the catalogue, the cache and downloads."""
