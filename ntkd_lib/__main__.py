"""``python -m ntkd_lib``: the command line."""

from ntkd_lib.pipeline.cli import main

if __name__ == "__main__":
    main()
