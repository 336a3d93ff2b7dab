"""Training with each peer, and with tuneclip, as a process that does one step when it is told to."""
