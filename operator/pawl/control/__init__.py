"""The shell around the planners: watches, observes, carries plans out. The only part that knows
the Kubernetes client."""
