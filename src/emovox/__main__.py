"""`python -m emovox` is the command `emovox`."""

from emovox.cli.main import main

if __name__ == "__main__":
    main()
