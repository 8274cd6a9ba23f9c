(function_definition) @function
(class_definition) @class
(class_definition superclasses: (argument_list [(identifier) (attribute) (subscript)] @base))
(module (expression_statement (assignment left: (identifier)) @variable))
(module (if_statement (block (expression_statement (assignment left: (identifier)) @variable))))
(module (try_statement (block (expression_statement (assignment left: (identifier)) @variable))))
(decorated_definition) @wrap
(comment) @comment
(string_content) @mask
(keyword_argument name: (identifier) @mask)
(call function: (identifier) @call)
(call function: (attribute attribute: (identifier) @call))
(assignment left: (identifier) @local)
(assignment left: (pattern_list (identifier) @local))
(for_statement left: (identifier) @local)
(for_statement left: (pattern_list (identifier) @local))
(for_in_clause left: (identifier) @local)
(for_in_clause left: (pattern_list (identifier) @local))
(parameters (identifier) @local)
(parameters (list_splat_pattern (identifier) @local))
(parameters (dictionary_splat_pattern (identifier) @local))
(parameters (default_parameter name: (identifier) @local))
(parameters (typed_parameter . (identifier) @local))
(parameters (typed_default_parameter name: (identifier) @local))
(lambda_parameters (identifier) @local)
(as_pattern_target (identifier) @local)
(typed_parameter) @typed
(typed_default_parameter) @typed
(assignment type: (_)) @typed
(assignment left: [(identifier) (attribute)] right: [(call) (await)]) @typed
(as_pattern (call) alias: (as_pattern_target (identifier))) @typed
(import_statement) @import
(import_from_statement) @import
(future_import_statement) @import
(module (expression_statement (assignment left: (identifier) @_name right: [(list) (tuple)]) @export) (#eq? @_name "__all__"))
