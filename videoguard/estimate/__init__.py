"""What a run will take, told before it starts: samples, tokens, steps, parameters, memory and disk."""
