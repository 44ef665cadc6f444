"""Changed copies of training samples, made of their stored frames."""
