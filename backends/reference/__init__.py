"""An executable specification of Kubernetes storage: an API store and controllers written as rules."""
