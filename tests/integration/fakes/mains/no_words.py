"""Fake suite: says nothing at all and ends as if all were well."""
