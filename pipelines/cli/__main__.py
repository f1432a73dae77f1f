"""`python -m pipelines.cli`, the same as `rootline`."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
