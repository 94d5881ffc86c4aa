"""Access control between the network and the app: hosts, origins, access token and response headers."""
