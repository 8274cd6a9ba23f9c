(class_declaration) @class
(protocol_declaration) @interface
(function_declaration) @function
(protocol_function_declaration) @method
(init_declaration) @method
(deinit_declaration) @method
(subscript_declaration) @method
(source_file (property_declaration) @variable)
(property_declaration computed_value: (_)) @variable
(typealias_declaration) @type
(class_declaration (inheritance_specifier inherits_from: (_) @base))
(protocol_declaration (inheritance_specifier inherits_from: (_) @base))
(comment) @comment
(multiline_comment) @comment
(line_str_text) @mask
(multi_line_str_text) @mask
(call_expression . (simple_identifier) @call)
(call_expression . (navigation_expression suffix: (navigation_suffix suffix: (simple_identifier) @call)))
(call_expression . (prefix_expression target: (simple_identifier) @call))
(constructor_expression constructed_type: (user_type (type_identifier) @call))
(parameter name: (simple_identifier) @local)
(lambda_parameter name: (simple_identifier) @local)
(pattern bound_identifier: (simple_identifier) @local)
(guard_statement bound_identifier: (simple_identifier) @local)
(if_statement bound_identifier: (simple_identifier) @local)
(while_statement bound_identifier: (simple_identifier) @local)
(import_declaration) @import
