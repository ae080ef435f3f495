"""What `sensos-auth doctor` looks at. Nothing here changes anything."""
