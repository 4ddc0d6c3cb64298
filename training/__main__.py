"""`python -m training`: the offline commands alone."""

import click

from training.cli import evaluate, export, train

main = click.Group("training", {"train": train, "evaluate": evaluate, "export": export})

if __name__ == "__main__":
    main()
