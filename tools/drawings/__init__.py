"""The drawings of the documentation, made from the product's own core."""
