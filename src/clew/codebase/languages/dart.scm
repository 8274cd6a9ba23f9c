(class_definition) @class
(mixin_declaration (identifier) @name (class_body) @body) @trait
(extension_declaration) @extension
(enum_declaration) @enum
(type_alias (type_identifier) @name) @type
(program (function_signature) @function . (function_body) @body)
(class_body (method_signature (function_signature name: (identifier) @name)) @method . (function_body) @body)
(class_body (method_signature (getter_signature name: (identifier) @name)) @method . (function_body) @body)
(class_body (method_signature (setter_signature name: (identifier) @name)) @method . (function_body) @body)
(class_body (method_signature (constructor_signature name: (identifier) @name)) @method . (function_body) @body)
(extension_body (method_signature (function_signature name: (identifier) @name)) @method . (function_body) @body)
(superclass (type_identifier) @base)
(interfaces (type_identifier) @base)
(comment) @comment
(documentation_comment) @comment
(string_literal) @mask
(program (annotation) @lead)
(class_body (annotation) @lead)
(extension_body (annotation) @lead)
