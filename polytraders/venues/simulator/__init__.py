"""Made-up markets in the venues' own formats, so that everything can be tried without a network."""
