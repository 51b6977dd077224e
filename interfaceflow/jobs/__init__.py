"""Thin jobs: unpack, call one science function, return a Doc."""
