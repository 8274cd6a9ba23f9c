(class_declaration) @class
(interface_declaration) @interface
(trait_declaration) @trait
(enum_declaration) @enum
(method_declaration) @method
(function_definition) @function
(program (const_declaration) @constant)
(class_declaration [(base_clause [(name) (qualified_name)] @base) (class_interface_clause [(name) (qualified_name)] @base)])
(interface_declaration (base_clause [(name) (qualified_name)] @base))
(enum_declaration (class_interface_clause [(name) (qualified_name)] @base))
(class_declaration body: (declaration_list (use_declaration [(name) (qualified_name)] @base)))
(trait_declaration body: (declaration_list (use_declaration [(name) (qualified_name)] @base)))
(enum_declaration body: (enum_declaration_list (use_declaration [(name) (qualified_name)] @base)))
(comment) @comment
(string_content) @mask
(nowdoc_string) @mask
(text) @mask
(function_call_expression function: (name) @call)
(function_call_expression function: (qualified_name (name) @call .))
(member_call_expression name: (name) @call)
(nullsafe_member_call_expression name: (name) @call)
(scoped_call_expression name: (name) @call)
(object_creation_expression (name) @call)
(object_creation_expression (qualified_name (name) @call .))
(namespace_use_declaration) @import
(require_expression) @import
(require_once_expression) @import
(include_expression) @import
(include_once_expression) @import
(namespace_definition name: (namespace_name) @mask)
(simple_parameter type: (_)) @typed
(property_promotion_parameter type: (_)) @typed
(assignment_expression left: [(variable_name) (member_access_expression)] right: (object_creation_expression)) @typed
