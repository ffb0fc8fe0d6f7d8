"""Server-side printing: meta.k8s.io Tables with the columns that `kubectl get` shows."""
