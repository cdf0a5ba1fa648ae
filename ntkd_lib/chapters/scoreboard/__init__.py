"""Scoreboard: reads the evidence of all notebooks and judges every claim; computes nothing itself."""
