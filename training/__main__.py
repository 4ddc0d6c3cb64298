"""`python -m training`: the offline commands alone."""

import click

from training.cli import assemble, crossvalidate, evaluate, export, train

COMMANDS = (train, evaluate, export, crossvalidate, assemble)
main = click.Group("training", {str(command.name): command for command in COMMANDS})

if __name__ == "__main__":
    main()
