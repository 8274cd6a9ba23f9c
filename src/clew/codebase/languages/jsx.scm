(jsx_text) @mask
((jsx_opening_element name: (identifier) @mask) (#match? @mask "^[a-z]"))
((jsx_closing_element name: (identifier) @mask) (#match? @mask "^[a-z]"))
((jsx_self_closing_element name: (identifier) @mask) (#match? @mask "^[a-z]"))
(jsx_attribute (property_identifier) @mask)
