(class_specifier body: (_)) @class
(namespace_definition) @namespace
(class_specifier (base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base))
(struct_specifier (base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base))
(alias_declaration) @type
(concept_definition) @type
(field_declaration_list (declaration) @function)
(field_declaration declarator: (function_declarator)) @function
(field_declaration declarator: (pointer_declarator)) @function
(field_declaration declarator: (reference_declarator)) @function
(template_declaration (declaration) @function)
(template_declaration) @wrap
(raw_string_content) @mask
(call_expression function: (qualified_identifier name: (identifier) @call))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (identifier) @call)))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (qualified_identifier name: (identifier) @call))))
(call_expression function: (qualified_identifier name: (template_function name: (identifier) @call)))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (template_function name: (identifier) @call))))
(call_expression function: (template_function name: (identifier) @call))
(call_expression function: (field_expression field: (template_method name: (field_identifier) @call)))
(new_expression type: (type_identifier) @call)
(new_expression type: (template_type name: (type_identifier) @call))
(new_expression type: (qualified_identifier name: (type_identifier) @call))
(reference_declarator (identifier) @local)
(for_range_loop declarator: (identifier) @local)
(structured_binding_declarator (identifier) @local)
(optional_parameter_declaration declarator: (identifier) @local)
