"""How a course begins, and an assignment: files to write one's own into."""
