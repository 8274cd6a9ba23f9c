(class_declaration) @class
(interface_declaration) @interface
(struct_declaration) @struct
(enum_declaration) @enum
(record_declaration) @class
(delegate_declaration) @type
(method_declaration) @method
(constructor_declaration) @method
(destructor_declaration) @method
(operator_declaration) @method
(conversion_operator_declaration) @method
(indexer_declaration) @method
(local_function_statement) @function
(property_declaration value: (arrow_expression_clause)) @method
(property_declaration accessors: (accessor_list (accessor_declaration body: (_)))) @method
(class_declaration (base_list [(identifier) (generic_name) (qualified_name) (alias_qualified_name) (predefined_type) (primary_constructor_base_type) (nullable_type) (tuple_type) (array_type)] @base))
(interface_declaration (base_list [(identifier) (generic_name) (qualified_name) (alias_qualified_name) (predefined_type) (primary_constructor_base_type) (nullable_type) (tuple_type) (array_type)] @base))
(struct_declaration (base_list [(identifier) (generic_name) (qualified_name) (alias_qualified_name) (predefined_type) (primary_constructor_base_type) (nullable_type) (tuple_type) (array_type)] @base))
(record_declaration (base_list [(identifier) (generic_name) (qualified_name) (alias_qualified_name) (predefined_type) (primary_constructor_base_type) (nullable_type) (tuple_type) (array_type)] @base))
(comment) @comment
(string_literal_content) @mask
(verbatim_string_literal) @mask
(raw_string_literal) @mask
(character_literal) @mask
(string_content) @mask
(invocation_expression function: (identifier) @call)
(invocation_expression function: (generic_name (identifier) @call))
(invocation_expression function: (member_access_expression name: (identifier) @call))
(invocation_expression function: (member_access_expression name: (generic_name (identifier) @call)))
(invocation_expression function: (conditional_access_expression (member_binding_expression name: (identifier) @call)))
(invocation_expression function: (conditional_access_expression (member_binding_expression name: (generic_name (identifier) @call))))
(object_creation_expression type: (identifier) @call)
(object_creation_expression type: (generic_name (identifier) @call))
(object_creation_expression type: (qualified_name name: (identifier) @call))
(variable_declarator name: (identifier) @local)
(parameter name: (identifier) @local)
(parameter_list name: (identifier) @local)
(implicit_parameter) @local
(foreach_statement left: (identifier) @local)
(catch_declaration name: (identifier) @local)
(declaration_expression name: (identifier) @local)
(declaration_pattern name: (identifier) @local)
(using_directive) @import
(namespace_declaration name: (_) @mask)
(file_scoped_namespace_declaration name: (_) @mask)
(parameter type: (_) name: (identifier)) @typed
(variable_declaration type: (_)) @typed
(property_declaration) @typed
(foreach_statement left: (identifier)) @typed
