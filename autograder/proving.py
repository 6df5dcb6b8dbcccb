"""What a reference claims of its gradients: the name that courses know."""

from autograder.authoring.gradient_proofs import Claim

__all__ = ["Claim"]
