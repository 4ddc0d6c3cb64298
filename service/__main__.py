"""`python -m service` is `convscope`."""

from service.cli import main

if __name__ == "__main__":
    main(prog_name="convscope")
