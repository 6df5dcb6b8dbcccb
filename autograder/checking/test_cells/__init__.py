"""Test cells of a master notebook, run outside and unchanged, with the student's names as remote objects."""
