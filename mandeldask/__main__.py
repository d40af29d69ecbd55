"""``python -m mandeldask`` is the command `mandeldask`."""

from __future__ import annotations

from mandeldask.cli import main

if __name__ == "__main__":  # spawned processes import this module and must not run the command
    main()
