(function_item) @function
(function_signature_item) @function
(struct_item) @struct
(union_item) @struct
(enum_item) @enum
(trait_item) @trait
(impl_item) @extension
(mod_item body: (_)) @namespace
(const_item) @constant
(static_item) @variable
(type_item) @type
(macro_definition) @macro
(impl_item trait: (_) @base)
((trait_item bounds: (trait_bounds (_) @base)) (#not-match? @base "^'"))
(attribute_item) @lead
(line_comment) @comment
(block_comment) @comment
(string_content) @mask
(char_literal) @mask
(raw_string_literal) @mask
(lifetime) @mask
(call_expression function: (identifier) @call)
(call_expression function: (field_expression field: (field_identifier) @call))
(call_expression function: (scoped_identifier name: (identifier) @call))
(call_expression function: (generic_function function: (identifier) @call))
(call_expression function: (generic_function function: (field_expression field: (field_identifier) @call)))
(call_expression function: (generic_function function: (scoped_identifier name: (identifier) @call)))
(macro_invocation macro: (identifier) @call)
(macro_invocation macro: (scoped_identifier name: (identifier) @call))
(token_tree (identifier) @call . (token_tree . "("))
(let_declaration pattern: (identifier) @local)
(parameter pattern: (identifier) @local)
(closure_parameters (identifier) @local)
(for_expression pattern: (identifier) @local)
(tuple_pattern (identifier) @local)
(tuple_struct_pattern type: (_) (identifier) @local)
(mut_pattern (identifier) @local)
(ref_pattern (identifier) @local)
(use_declaration) @import
(extern_crate_declaration) @import
(mod_item !body) @import
(parameter pattern: (identifier)) @typed
(let_declaration pattern: (identifier)) @typed
(field_declaration) @typed
