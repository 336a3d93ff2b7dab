"""`python -m tuneclip` is the command line."""

from tuneclip.cli import main

main()
