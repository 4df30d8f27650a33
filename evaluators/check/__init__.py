"""The regression check: a small frozen set of motions scored again, and every number held to what it was."""
