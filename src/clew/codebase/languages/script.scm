(function_declaration) @function
(generator_function_declaration) @function
(class_declaration) @class
(method_definition) @method
(program (lexical_declaration) @function)
(program (variable_declaration) @function)
(export_statement declaration: (lexical_declaration) @function)
(export_statement declaration: (variable_declaration) @function)
(lexical_declaration (variable_declarator value: [(arrow_function) (function_expression) (generator_function) (class)])) @function
(variable_declaration (variable_declarator value: [(arrow_function) (function_expression) (generator_function) (class)])) @function
(expression_statement (assignment_expression
  left: [(member_expression) (identifier)]
  right: [(arrow_function) (function_expression) (generator_function) (class)])) @function
(variable_declarator value: (object (pair value: [(arrow_function) (function_expression) (generator_function)]) @method))
(assignment_expression right: (object (pair value: [(arrow_function) (function_expression) (generator_function)]) @method))
(export_statement value: (object (pair value: [(arrow_function) (function_expression) (generator_function)]) @method))
(expression_statement (call_expression arguments: (arguments . [(string) (template_string)]))) @test
(export_statement value: [(arrow_function) (function_expression) (class)]) @function
(export_statement) @wrap
(comment) @comment
(string_fragment) @mask
(escape_sequence) @mask
(regex_pattern) @mask
(regex_flags) @mask
(call_expression function: (identifier) @call)
(call_expression function: (member_expression property: [(property_identifier) (private_property_identifier)] @call))
(new_expression constructor: (identifier) @call)
(new_expression constructor: (member_expression property: (property_identifier) @call))
(variable_declarator name: (identifier) @local)
(shorthand_property_identifier_pattern) @local
(pair_pattern value: (identifier) @local)
(array_pattern (identifier) @local)
(assignment_pattern left: (identifier) @local)
(rest_pattern (identifier) @local)
(arrow_function parameter: (identifier) @local)
(catch_clause parameter: (identifier) @local)
(for_in_statement left: (identifier) @local)
(import_statement) @import
(export_statement source: (string)) @import
((call_expression function: (identifier) @_require arguments: (arguments . (string))) @import (#eq? @_require "require"))
(call_expression function: (import) arguments: (arguments . (string))) @import
(variable_declarator name: (identifier) value: [(new_expression) (call_expression) (await_expression)]) @typed
(assignment_expression left: (member_expression object: (this)) right: (new_expression)) @typed
(export_statement !source (export_clause (export_specifier) @export))
(export_statement "default") @export
(program (expression_statement (assignment_expression) @export))
(variable_declarator value: (assignment_expression left: [(member_expression) (identifier)]) @export)
