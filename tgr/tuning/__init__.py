"""Equal tuning: equally many trials for each method, on meta-val classes."""
