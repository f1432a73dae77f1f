"""The command line. Importing it imports nothing heavy: commands import what they use."""


def main() -> None:
    """Run `rootline` with the arguments of this process, and exit."""
    from pipelines.cli.app import run

    run()
