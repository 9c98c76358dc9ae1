"""python -m stylehead."""

from stylehead.cli import main

if __name__ == "__main__":
    main()
