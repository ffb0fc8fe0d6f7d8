"""Bundles, digests and the artifact store. Imports stay light: the server loads this."""
