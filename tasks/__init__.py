"""One module a step of the flow: cache key, retries, timeout, progress, and a call into `videoguard`."""
