"""Hidden checks put to the test before students meet them."""
