"""From a route (versions and weights) to the configuration of a router."""
