"""Other clients, measured in the same way: programs of our own on their released packages."""
