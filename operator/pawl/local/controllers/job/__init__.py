"""batch/v1 Job: run pods to completion (k8s.io/kubernetes pkg/controller/job)."""
