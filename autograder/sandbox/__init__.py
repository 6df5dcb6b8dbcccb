"""Running a submission where it can do no harm."""
