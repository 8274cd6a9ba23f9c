"""Gateway: forward the client's requests to the model's API, with old tool outputs shortened where that pays."""
