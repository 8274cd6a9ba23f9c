(function_declaration) @function
(method_declaration) @method
(type_declaration) @type
(method_elem) @method
(source_file (const_declaration) @constant)
(source_file (var_declaration) @variable)
(type_spec type: (struct_type (field_declaration_list (field_declaration !name type: (_) @base))))
(type_spec type: (interface_type (type_elem) @base))
(comment) @comment
(interpreted_string_literal_content) @mask
(raw_string_literal_content) @mask
(rune_literal) @mask
(call_expression function: (identifier) @call)
(call_expression function: (selector_expression field: (field_identifier) @call))
(type_conversion_expression type: (generic_type type: (type_identifier) @call))
(type_conversion_expression type: (generic_type type: (qualified_type name: (type_identifier) @call)))
(short_var_declaration left: (expression_list (identifier) @local))
(range_clause left: (expression_list (identifier) @local))
(parameter_declaration name: (identifier) @local)
(variadic_parameter_declaration name: (identifier) @local)
(var_spec name: (identifier) @local)
(const_spec name: (identifier) @local)
(import_spec) @import
(package_clause (package_identifier) @mask)
(parameter_declaration name: (identifier)) @typed
(short_var_declaration) @typed
(var_spec) @typed
(field_declaration name: (field_identifier)) @typed
