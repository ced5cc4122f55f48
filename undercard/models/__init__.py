"""Files of models: what their headers hold, where they lie on this machine, and fetching them from the hub."""
