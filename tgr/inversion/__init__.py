"""Model inversion: recovering images from a teacher alone."""
