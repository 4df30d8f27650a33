"""What came out: result files and the site made from them."""
