"""Text processing on strings, bytes and arrays alone: search terms, token counts, embeddings, postings, masking of secrets."""
