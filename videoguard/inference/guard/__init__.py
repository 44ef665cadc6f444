"""The streaming guard: each frame judged as it arrives, alarms, and a verdict at the end."""
