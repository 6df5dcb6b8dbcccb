"""An assignment as Gradescope's autograder: a zip file with two scripts and a course of this assignment alone."""
