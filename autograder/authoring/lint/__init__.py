"""Mistakes of authors, found by the text of a course's files alone: no code of the course is run."""
