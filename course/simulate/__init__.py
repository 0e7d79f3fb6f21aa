"""Small models that a chapter steps through and draws: no store, no driver, only the idea."""
