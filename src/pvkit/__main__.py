"""`python -m pvkit` is `pvkit`."""

from pvkit.conformance.cli import main

if __name__ == "__main__":
    main()
