"""A classifier from a prompt and some ratings: the log, the fit, what to show next, the threshold. No torch here."""
