"""The first minute: what is here, and the whole line on a drawn archive."""
