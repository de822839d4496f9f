"""Real Kubernetes: a control plane on this machine, and the way to clusters of others."""
