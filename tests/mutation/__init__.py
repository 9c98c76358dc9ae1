"""How many small faults in the method's equations the tests notice: `python -m tests.mutation`."""
