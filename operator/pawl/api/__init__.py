"""The API `pawl.dev/v1alpha1`: what users write and read."""
