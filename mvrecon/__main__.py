"""`python -m mvrecon` is `mvrecon`."""

from mvrecon.cli import program

program()
