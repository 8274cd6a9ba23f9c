(class_declaration) @class
(object_declaration) @class
(function_declaration) @function
(secondary_constructor) @method
(source_file (property_declaration) @variable)
(type_alias) @type
(class_declaration (delegation_specifiers (_) @base))
(object_declaration (delegation_specifiers (_) @base))
(line_comment) @comment
(block_comment) @comment
(string_content) @mask
(character_literal) @mask
(call_expression . (identifier) @call)
(call_expression . (navigation_expression (identifier) @call .))
(parameter . (identifier) @local)
(variable_declaration . (identifier) @local)
(catch_block (identifier) @local)
(import) @import
(package_header (qualified_identifier) @mask)
(parameter (identifier)) @typed
(class_parameter (identifier)) @typed
(property_declaration) @typed
