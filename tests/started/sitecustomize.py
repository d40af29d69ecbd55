"""What Python does first in each process that a test starts: search less often for garbage, and not at the end.

The imports of one make some hundred thousand objects that stay. A quarter of its CPU time went into searching them.
"""

import atexit
import gc

gc.set_threshold(50_000, 20, 50)
atexit.register(gc.freeze)
