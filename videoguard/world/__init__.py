"""World generation: a clip of what comes next, from a picture or video and a prompt, by Cosmos Predict2 with LoRA adapters.

Runs on diffusers; what its pipeline gets wrong or leaves unsaid is corrected or checked here, each where it is used.
"""
