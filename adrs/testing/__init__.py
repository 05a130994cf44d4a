"""Tools for authors of evaluators, proposers and strategies to test what they plug in."""
