(function_definition) @function
(translation_unit (declaration) @function)
(declaration_list (declaration) @function)
(linkage_specification body: (declaration) @function)
(preproc_if (declaration) @function)
(preproc_ifdef (declaration) @function)
(preproc_else (declaration) @function)
(preproc_elif (declaration) @function)
(type_definition) @type
(struct_specifier body: (_)) @struct
(union_specifier body: (_)) @struct
(enum_specifier body: (_)) @enum
(preproc_def value: (_)) @macro
(preproc_function_def) @macro
(comment) @comment
(string_content) @mask
(char_literal) @mask
(system_lib_string) @mask
(call_expression function: (identifier) @call)
(call_expression function: (field_expression field: (field_identifier) @call))
(init_declarator declarator: (identifier) @local)
(declaration declarator: (identifier) @local)
(parameter_declaration declarator: (identifier) @local)
(pointer_declarator declarator: (identifier) @local)
(array_declarator declarator: (identifier) @local)
(preproc_params (identifier) @local)
(preproc_include) @import
(parameter_declaration type: (_) declarator: (_)) @typed
(declaration type: (_) declarator: [(identifier) (init_declarator) (pointer_declarator)]) @typed
(field_declaration type: (_) declarator: [(field_identifier) (pointer_declarator)]) @typed
