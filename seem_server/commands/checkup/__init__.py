"""What `seem doctor` looks at. Each check is given what it looks at, and gives findings."""
