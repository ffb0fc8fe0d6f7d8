"""Engines: a loaded model that turns arrays into arrays. One module per format; the skops engine
is imported only when a bundle needs it, so that the plain server image goes without
scikit-learn."""
