"""MCP: five tools by which an agent asks for what is not in its window."""
