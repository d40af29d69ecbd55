"""``python -m mandeldask`` is the command `mandeldask`."""

from __future__ import annotations

from mandeldask.cli import main

if __name__ == "__main__":  # processes that are spawned import this module and must not start again
    main()
