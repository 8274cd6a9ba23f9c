(class_declaration) @class
(interface_declaration) @interface
(enum_declaration) @enum
(record_declaration) @class
(annotation_type_declaration) @interface
(method_declaration) @method
(constructor_declaration) @method
(compact_constructor_declaration) @method
(class_declaration superclass: (superclass (_) @base))
(_ interfaces: (super_interfaces (type_list (_) @base)))
(interface_declaration (extends_interfaces (type_list (_) @base)))
(line_comment) @comment
(block_comment) @comment
(string_fragment) @mask
(multiline_string_fragment) @mask
(character_literal) @mask
(method_invocation name: (identifier) @call)
(object_creation_expression type: (type_identifier) @call)
(object_creation_expression type: (generic_type (type_identifier) @call))
(object_creation_expression type: (scoped_type_identifier (type_identifier) @call .))
(local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
(formal_parameter name: (identifier) @local)
(spread_parameter (variable_declarator name: (identifier) @local))
(lambda_expression parameters: (identifier) @local)
(inferred_parameters (identifier) @local)
(enhanced_for_statement name: (identifier) @local)
(catch_formal_parameter name: (identifier) @local)
(resource name: (identifier) @local)
(import_declaration) @import
(package_declaration (_) @mask)
(local_variable_declaration) @typed
(formal_parameter) @typed
(field_declaration) @typed
(enhanced_for_statement) @typed
(resource name: (identifier)) @typed
