"""What stands between the network and the app: who may connect, with which token, and what a browser may do with it."""
