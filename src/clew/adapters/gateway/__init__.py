"""Gateway: the client's requests on their way to the API, with old tool results folded where that pays."""
