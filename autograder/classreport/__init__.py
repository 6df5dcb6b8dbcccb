"""A whole class at one assignment: what its results say of the items (``items``), on one page (``page``)."""
