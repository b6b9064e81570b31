"""What there is to measure: releases, profiles, backends, approaches, known errors, locks, and the suite's hashes."""
