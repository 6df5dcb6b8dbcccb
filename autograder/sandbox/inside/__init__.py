"""What runs inside the sandbox. It imports the standard library, NumPy and IPython, and nothing of the trusted side."""
