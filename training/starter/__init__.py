"""How the packaged starter model was made; `python -m training.starter --help` says how to make it again."""
