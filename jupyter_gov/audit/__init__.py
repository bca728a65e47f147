"""PROOF: events, the Merkle log they are leaves of, and its verification."""
