"""Looking at a run: each question is a function over an archive that returns a frozen data class with its JSON."""
