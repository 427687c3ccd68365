"""One module for each subcommand of `seem`."""
