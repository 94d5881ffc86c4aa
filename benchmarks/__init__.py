"""Side-by-side runs against other libraries, and the figures that the product promises."""
