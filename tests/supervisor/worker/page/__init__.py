"""What the page is told, and the page itself."""
