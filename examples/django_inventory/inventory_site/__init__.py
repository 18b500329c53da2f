"""The site: settings, paths, and the server's entrance."""
