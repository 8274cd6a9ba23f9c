(function_declaration) @function
(variable_declaration (identifier) @name (struct_declaration) @body) @struct
(variable_declaration (identifier) @name (union_declaration) @body) @struct
(variable_declaration (identifier) @name (enum_declaration) @body) @enum
(source_file (variable_declaration . (identifier) @name) @constant)
(test_declaration (string (string_content) @name) (block) @body) @test
(comment) @comment
(string_content) @mask
(call_expression function: (identifier) @call)
(call_expression function: (field_expression member: (identifier) @call))
(parameter name: (identifier) @local)
