"""autoscaling/v2 HorizontalPodAutoscaler (pkg/controller/podautoscaler)."""
