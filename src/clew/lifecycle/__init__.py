"""What is still true, and on which tier? The only caller of the store's Writer."""
