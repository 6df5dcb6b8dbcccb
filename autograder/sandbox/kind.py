"""The kinds of sandbox there are."""

from __future__ import annotations

from typing import Literal

Kind = Literal["bubblewrap", "landlock", "none"]
"""What isolates a submission: namespaces, made by bubblewrap; Landlock, where a machine forbids namespaces; or nothing,
where somebody asks for that by its name."""
