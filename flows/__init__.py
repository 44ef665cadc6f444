"""Chains of tasks; no arithmetic."""
