"""The distilled tangent kernel: its three stages, streamed and selected alternatives, and a cost ledger."""
