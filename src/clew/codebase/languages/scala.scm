(class_definition) @class
(object_definition) @class
(trait_definition) @trait
(enum_definition) @enum
(function_definition) @function
(function_declaration) @function
(type_definition) @type
(given_definition name: (_)) @variable
(compilation_unit (val_definition pattern: (identifier) @name) @constant)
(package_object) @namespace
(extends_clause [(type_identifier) (generic_type) (stable_type_identifier)] @base)
(import_declaration) @import
(parameter name: (identifier)) @typed
(class_parameter name: (identifier)) @typed
(val_definition pattern: (identifier)) @typed
(comment) @comment
(block_comment) @comment
(string) @mask
(interpolated_string_expression) @mask
(call_expression function: (identifier) @call)
(call_expression function: (field_expression field: (identifier) @call))
(call_expression function: (generic_function function: (identifier) @call))
(instance_expression (type_identifier) @call)
(parameter name: (identifier) @local)
(class_parameter name: (identifier) @local)
(val_definition pattern: (identifier) @local)
(var_definition pattern: (identifier) @local)
(package_clause name: (_) @mask)
