"""apps/v1 Deployment: roll pods over from one template to the next (pkg/controller/deployment)."""
