"""Ready-made synthetic worlds and the script that makes them."""
