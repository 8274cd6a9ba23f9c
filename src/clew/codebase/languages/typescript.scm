(public_field_definition value: [(arrow_function) (function_expression)]) @method
(class_body (decorator) @lead)
(abstract_class_declaration) @class
(abstract_method_signature) @method
(class_body (method_signature) @method)
(interface_body (method_signature) @method)
(function_signature) @function
(interface_declaration) @interface
(type_alias_declaration) @type
(enum_declaration) @enum
(internal_module) @namespace
(module) @namespace
(ambient_declaration) @wrap
(expression_statement (internal_module)) @wrap
(required_parameter pattern: (identifier) @local)
(optional_parameter pattern: (identifier) @local)
(required_parameter type: (_)) @typed
(optional_parameter type: (_)) @typed
(variable_declarator type: (_)) @typed
(public_field_definition type: (_)) @typed
(public_field_definition value: (new_expression)) @typed
(property_signature type: (_)) @typed
