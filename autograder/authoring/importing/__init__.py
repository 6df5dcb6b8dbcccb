"""Courses of nbgrader's and masters of otter-assign's → assignments of this course: by their text, nothing is run."""
