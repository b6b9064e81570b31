"""Time the approaches, and turn the samples into ratios with intervals."""
