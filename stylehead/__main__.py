"""python -m stylehead."""

from stylehead.cli.app import main

if __name__ == "__main__":
    main()
