(function_declaration name: [(identifier) (dot_index_expression) (method_index_expression)] @name body: (_)? @body) @function
(assignment_statement (variable_list name: [(identifier) (dot_index_expression)] @name) (expression_list value: (function_definition body: (_)? @body))) @function
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @variable)
(field name: (identifier) @name value: (function_definition body: (_)? @body)) @function
(comment) @comment
(string_content) @mask
(function_call name: (identifier) @call)
(function_call name: (dot_index_expression field: (identifier) @call))
(function_call name: (method_index_expression method: (identifier) @call))
(parameters name: (identifier) @local)
(variable_list name: (identifier) @local)
