"""Which runs a person asks for, which of them are due, and how several machines share them."""
