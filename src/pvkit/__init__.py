"""Property-based conformance tests for Kubernetes PersistentVolume binding."""

__version__ = "0.1.0"
