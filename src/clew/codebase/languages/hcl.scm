((body (block (identifier) @_what (string_lit)+ @name (body)? @body) @struct)
  (#match? @_what "^(resource|data|module|provider|check|ephemeral)$"))
((body (block (identifier) @_what (string_lit)+ @name (body)? @body) @namespace)
  (#not-match? @_what "^(resource|data|module|provider|check|ephemeral|variable|output)$"))
((body (block (identifier) @_what (string_lit)+ @name) @variable)
  (#match? @_what "^(variable|output)$"))
(body (block . (identifier) @name . (block_start) (body)? @body) @namespace)
(comment) @comment
(function_call (identifier) @call)
