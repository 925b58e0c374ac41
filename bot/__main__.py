"""`python -I -m bot`: the console script, without looking into the current directory."""

import sys

from bot.cli import main

sys.exit(main())
