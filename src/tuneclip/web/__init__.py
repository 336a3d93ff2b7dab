"""The page in the browser: search, two models side by side, rating, and what the project holds."""
