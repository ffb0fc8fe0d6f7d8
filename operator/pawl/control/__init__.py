"""The shell around the planners: watches, observes, carries plans out. The only part that knows
kopf and the Kubernetes client."""
