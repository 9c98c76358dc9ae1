"""Tests. Run side by side, a worker for each core; threads of their libraries would be in the way.

Imported before anything that starts threads; programs that a test starts inherit it.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
