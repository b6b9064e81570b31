"""Times the approaches, and turns the samples into ratios with intervals."""
