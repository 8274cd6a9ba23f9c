(statement (create_table (object_reference) @name)) @struct
(statement (create_view (object_reference) @name)) @struct
(statement (create_materialized_view (object_reference) @name)) @struct
(statement (create_index column: (identifier) @name)) @constant
(statement (create_function (object_reference) @name)) @function
(create_procedure (object_reference) @name) @function
(statement (create_sequence (object_reference) @name)) @constant
(statement (create_role . (keyword_create) (_) (identifier) @name)) @constant
(statement (create_trigger (object_reference) @name)) @function
(statement (create_policy (object_reference) @name)) @constant
(statement (create_type (object_reference) @name)) @type
(statement (create_schema (identifier) @name)) @namespace
(comment) @comment
(marginalia) @comment
(invocation (object_reference) @call)
