"""The words people type after `openinspect`: one file each, listed in `bot/cli.py`."""
