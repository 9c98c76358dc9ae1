"""The command, and python -m stylehead: signals are answered before anything large is loaded."""

from stylehead.cli.signals import leave_in_order


def main() -> None:
    """Run the command line."""
    leave_in_order()
    from stylehead.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
