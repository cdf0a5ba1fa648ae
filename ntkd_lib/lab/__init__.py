"""The ground: atomic files, digests, cells and their store, provenance, parameters and claims."""
