"""What the node puts before the import path of Python programs in pods: `sitecustomize`."""
