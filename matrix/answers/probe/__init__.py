"""The probe: one file that tells a person where their machine stands, and the program inside of it."""
