"""Settings of all tests."""

import os

# Tests run side by side; more threads than cores would slow all of them down. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
