"""`python -m stopgap` is `stopgap`."""

from stopgap.cli import main

if __name__ == "__main__":
    main()
