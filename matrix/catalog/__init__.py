"""What there is to measure: releases, profiles, backends, approaches, known errors, claims, locks."""
