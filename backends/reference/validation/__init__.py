"""What an API server reads, defaults and refuses, kind by kind."""
